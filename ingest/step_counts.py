"""Kept counts of the ledger by step and status, as ``ingest.counting`` keeps those of photos."""

from __future__ import annotations

from django.db import connection, transaction

from ingest.models import StepCount

_FOLD_LOCK = 0x4E1A_0003
_FOLD = f"""
WITH mine AS (
    SELECT pg_try_advisory_xact_lock({_FOLD_LOCK}) AS alone
), taken AS (
    DELETE FROM ingest_stepcountchange WHERE (SELECT alone FROM mine)
    RETURNING step, status, runs, milliseconds
)
INSERT INTO ingest_stepcount (step, status, runs, milliseconds)
SELECT step, status, sum(runs), sum(milliseconds) FROM taken GROUP BY step, status
ON CONFLICT (step, status) DO UPDATE SET
    runs = ingest_stepcount.runs + excluded.runs,
    milliseconds = ingest_stepcount.milliseconds + excluded.milliseconds
"""  # noqa: S608 - our own words

#: What the counts are, and what they should be; without those that agree.
DISAGREEMENTS = """
SELECT step, status, coalesce(kept.runs, 0) AS kept, coalesce(wanted.runs, 0) AS wanted,
    coalesce(kept.milliseconds, 0) AS kept_time, coalesce(wanted.milliseconds, 0) AS wanted_time
FROM (
    SELECT step, status, sum(runs) AS runs, sum(milliseconds) AS milliseconds FROM (
        SELECT step, status, runs, milliseconds FROM ingest_stepcount
        UNION ALL SELECT step, status, runs, milliseconds FROM ingest_stepcountchange
    ) known GROUP BY step, status
) kept FULL JOIN (
    SELECT step, status, count(*) AS runs, sum(milliseconds) AS milliseconds FROM ingest_steprun
    GROUP BY step, status
) wanted USING (step, status)
WHERE (coalesce(kept.runs, 0), coalesce(kept.milliseconds, 0))
    <> (coalesce(wanted.runs, 0), coalesce(wanted.milliseconds, 0))
"""
_RECOUNT = f"""
INSERT INTO ingest_stepcount (step, status, runs, milliseconds)
SELECT step, status, wanted - kept, wanted_time - kept_time FROM ({DISAGREEMENTS}) wrong
ON CONFLICT (step, status) DO UPDATE SET
    runs = ingest_stepcount.runs + excluded.runs,
    milliseconds = ingest_stepcount.milliseconds + excluded.milliseconds
"""  # noqa: S608 - our own words


def fold() -> None:
    """Add what the triggers wrote down to the counts; returns at once while another process does it."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def recount() -> int:
    """Correct the counts by counting the ledger; returns how many were wrong. Takes seconds a million."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FOLD_LOCK])
        cursor.execute(_RECOUNT)
        return int(cursor.rowcount)


def by_step() -> dict[str, dict[str, tuple[int, int]]]:
    """Of each step in the ledger: entries and milliseconds by status."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    kept = StepCount.objects.filter(runs__gt=0)
    for step, status, runs, milliseconds in kept.values_list("step", "status", "runs", "milliseconds"):
        found.setdefault(step, {})[status] = (runs, milliseconds)
    return found
