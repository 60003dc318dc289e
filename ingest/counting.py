"""Kept counts of photos: by state, in all and for every folder of every session; pages never count.

Triggers on the table of photos (migration 0009) write each change of a state or a folder down, in the same
transaction as the change, as rows that nobody waits for. ``fold`` adds them to the counts: whoever has
written or wants to read does it, one at a time. So nothing is lost or counted twice, whoever wrote and how.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from ingest import step_counts
from ingest.models import Pace, PhotoCount, ScanSession
from library.models import Photo
from search import changes

_FOLD_LOCK = 0x4E1A_0002
#: A worker adds up no more often; pages do it themselves before they read.
FOLD_SECONDS = 1.0
_folded_at = 0.0
#: What the moving average looks back on. The models lane finishes a batch at once, often minutes apart:
#: where fewer photos than ENOUGH were finished it looks back further.
PACE_WINDOW = timedelta(seconds=60)
LONG_WINDOW = timedelta(minutes=10)
ENOUGH = 100
#: Written down in pieces of this length.
PACE_SECONDS = 10
_PACE_KEPT = timedelta(hours=1)

#: What cannot be read fails at once, and says nothing about how long the others take.
_DONE = "'completed', 'partial'"
_FOLD = f"""
WITH RECURSIVE mine AS (
    SELECT pg_try_advisory_xact_lock({_FOLD_LOCK}) AS alone
), taken AS (
    DELETE FROM ingest_photocountchange WHERE (SELECT alone FROM mine)
    RETURNING folder, state, photos, at
), summed AS (
    SELECT folder, state, sum(photos) AS photos FROM taken GROUP BY folder, state
), lifted AS (
    SELECT place.id, place.parent_id, summed.state, summed.photos
    FROM summed JOIN ingest_sessionfolder place ON place.id = summed.folder
    UNION ALL
    SELECT place.id, place.parent_id, lifted.state, lifted.photos
    FROM lifted JOIN ingest_sessionfolder place ON place.id = lifted.parent_id
), changes AS (
    SELECT id AS folder, state, sum(photos) AS photos FROM lifted GROUP BY id, state
    UNION ALL
    SELECT NULL, state, sum(photos) FROM summed GROUP BY state
), paced AS (
    INSERT INTO ingest_pace (session_id, at, finished)
    SELECT place.session_id, piece.at, sum(piece.photos) FROM (
        SELECT folder, photos,
            to_timestamp(floor(extract(epoch FROM at) / {PACE_SECONDS}) * {PACE_SECONDS}) AS at
        FROM taken WHERE photos > 0 AND state IN ({_DONE})
    ) piece LEFT JOIN ingest_sessionfolder place ON place.id = piece.folder
    GROUP BY GROUPING SETS ((piece.at), (place.session_id, piece.at))
    HAVING GROUPING(place.session_id) = 1 OR place.session_id IS NOT NULL
    ON CONFLICT (session_id, at) DO UPDATE SET finished = ingest_pace.finished + excluded.finished
)
INSERT INTO ingest_photocount (folder_id, state, photos)
SELECT folder, state, photos FROM changes WHERE photos <> 0
ON CONFLICT (folder_id, state) DO UPDATE SET photos = ingest_photocount.photos + excluded.photos
"""  # noqa: S608 - our own words

#: What the counts are, and what they should be; without those that agree.
DISAGREEMENTS = """
WITH RECURSIVE own AS (
    SELECT scan_folder AS folder, state, count(*) AS photos FROM library_photo GROUP BY scan_folder, state
), lifted AS (
    SELECT place.id, place.parent_id, own.state, own.photos
    FROM own JOIN ingest_sessionfolder place ON place.id = own.folder
    UNION ALL
    SELECT place.id, place.parent_id, lifted.state, lifted.photos
    FROM lifted JOIN ingest_sessionfolder place ON place.id = lifted.parent_id
), changes AS (
    SELECT folder, state, sum(photos) AS photos FROM ingest_photocountchange GROUP BY folder, state
), changes_lifted AS (
    SELECT place.id, place.parent_id, changes.state, changes.photos
    FROM changes JOIN ingest_sessionfolder place ON place.id = changes.folder
    UNION ALL
    SELECT place.id, place.parent_id, changes_lifted.state, changes_lifted.photos
    FROM changes_lifted JOIN ingest_sessionfolder place ON place.id = changes_lifted.parent_id
), wanted AS (
    SELECT id AS folder, state, sum(photos) AS photos FROM lifted GROUP BY id, state
    UNION ALL SELECT 0, state, sum(photos) FROM own GROUP BY state
), kept AS (
    SELECT folder, state, sum(photos) AS photos FROM (
        SELECT coalesce(folder_id, 0) AS folder, state, photos FROM ingest_photocount
        UNION ALL SELECT id, state, photos FROM changes_lifted
        UNION ALL SELECT 0, state, photos FROM changes
    ) known GROUP BY folder, state
)
SELECT folder, state, coalesce(kept.photos, 0) AS kept, coalesce(wanted.photos, 0) AS wanted
FROM kept FULL JOIN wanted USING (folder, state)
WHERE coalesce(kept.photos, 0) <> coalesce(wanted.photos, 0)
"""

_RECOUNT = f"""
INSERT INTO ingest_photocount (folder_id, state, photos)
SELECT nullif(folder, 0), state, wanted - kept FROM ({DISAGREEMENTS}) wrong
ON CONFLICT (folder_id, state) DO UPDATE SET photos = ingest_photocount.photos + excluded.photos
"""  # noqa: S608 - our own words


def fold() -> None:
    """Add what the triggers wrote down to the counts; returns at once while another process does it.

    One statement: a change is deleted and counted, or neither.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def fold_now_and_then(*, now: bool = False) -> None:
    """For workers, after each batch: often enough that little is left to add up, here, in the ledger and in
    what search remembers of changes.
    """
    global _folded_at
    if now or time.monotonic() - _folded_at >= FOLD_SECONDS:
        _folded_at = time.monotonic()
        fold()
        step_counts.fold()
        changes.tidy()


def forget_old_paces() -> None:
    """What no moving average looks at any more."""
    Pace.objects.filter(at__lt=timezone.now() - _PACE_KEPT).delete()


def recount() -> int:
    """Correct the counts by counting all photos; returns how many were wrong. Takes seconds a million."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_FOLD_LOCK])
        cursor.execute(_RECOUNT)
        return int(cursor.rowcount)


def by_state(folder: int | None = None) -> dict[str, int]:
    """Photos by state: of a folder of a session, or of all. One query over a few rows."""
    kept = PhotoCount.objects.filter(folder=folder, photos__gt=0)
    return dict(kept.values_list("state", "photos"))


def per_second() -> float | None:
    """Photos finished a second, a moving average; None when there were none lately."""
    return _paces(Pace.objects.filter(session=None)).get(0)


def per_second_of(sessions: Iterable[int]) -> dict[int, float]:
    """The same for each of the sessions that finished something lately; one query."""
    return _paces(Pace.objects.filter(session__in=list(sessions)))


def _paces(paces: QuerySet[Pace]) -> dict[int, float]:
    now = timezone.now()
    found: dict[int, list[tuple[datetime, int]]] = {}
    recent = paces.filter(at__gte=now - LONG_WINDOW).order_by("at")
    for session, at, count in recent.values_list("session_id", "at", "finished"):
        found.setdefault(session or 0, []).append((at, count))
    rates = {session: _rate(pieces, now) for session, pieces in found.items()}
    return {session: rate for session, rate in rates.items() if rate}


def _rate(pieces: list[tuple[datetime, int]], now: datetime) -> float | None:
    """Photos a second since the end of the first piece: nobody knows how long that one took."""
    lately = [piece for piece in pieces if piece[0] >= now - PACE_WINDOW]
    chosen = lately if sum(count for _, count in lately) >= ENOUGH else pieces
    span = (now - chosen[0][0]).total_seconds() - PACE_SECONDS if chosen else 0.0
    return sum(count for _, count in chosen[1:]) / span if len(chosen) > 1 and span > 0 else None


def held_by_state() -> dict[str, int]:
    """Unfinished photos of paused and cancelled sessions, by state: nobody works on them."""
    sessions = Q(folder__session__paused=True) | Q(folder__session__status=ScanSession.Status.CANCELLED)
    held = PhotoCount.objects.filter(sessions, folder__isnull=False, folder__parent=None, photos__gt=0)
    held = held.exclude(state__in=Photo.FINAL_STATES)
    return dict(held.order_by().values_list("state").annotate(n=Sum("photos")))
