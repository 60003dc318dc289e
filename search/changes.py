"""Which writes can change what is found, and the version of the library that follows from them.

Everything that is found follows from rows of a few tables, and many hands write them: the pipeline, scans,
actions of all floors, the admin. So the database itself takes note: triggers of each of these tables add a
row to ``SearchChange`` with every statement that changes a column that counts, in the same transaction. Rows
are only added, so no writer waits for another, and none can deadlock.

The triggers are those of rows, since those of statements also run where no row is touched, and cannot tell;
the time at which the client's statement began tells whether it was noted already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import connection

from search.cache_models import SearchChange

KEPT: Final = 1_000
"""Rows beyond twice as many are deleted, the oldest first."""

_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION search_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    this text := pg_current_xact_id()::text || ' ' || statement_timestamp()::text;
BEGIN
    IF current_setting('heirloom.noted', true) IS DISTINCT FROM this THEN
        INSERT INTO search_searchchange DEFAULT VALUES;
        PERFORM set_config('heirloom.noted', this, true);
    END IF;
    RETURN NULL;
END $$
"""

# Two sets of rows of the same size and sum are the same set in practice: ids only grow, and the oldest go.
_VERSION: Final = "SELECT count(*), coalesce(sum(id), 0) FROM search_searchchange"

# An array is worked out once; a join could run a subquery with a limit again and again. The newest are
# counted from their end: of two who delete at once the second finds only what the first has in hand.
_PRUNE: Final = """
DELETE FROM search_searchchange WHERE id = ANY (ARRAY(
    SELECT id FROM search_searchchange
    WHERE id <= (SELECT id FROM search_searchchange ORDER BY id DESC OFFSET %s LIMIT 1)
    FOR UPDATE SKIP LOCKED
))
"""


def version() -> str:
    """Of everything that is found, as this transaction sees it: another one after every change. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION)
        rows, total = cursor.fetchone()
        if rows > 2 * KEPT:
            cursor.execute(_PRUNE, [KEPT])
            cursor.execute(_VERSION)
            rows, total = cursor.fetchone()
    return f"{rows}-{total}"


def tidy() -> None:
    """Forget old changes, for whoever makes many: else the next reader finds all of them."""
    version()


def note() -> None:
    """Say that something changed which no watched table shows."""
    SearchChange.objects.create()


def function_sql() -> str:
    """For migrations: what the triggers call."""
    return _FUNCTION


def watch_sql(table: str, columns: Sequence[str] = ()) -> str:
    """For migrations: have a table watched; of updates only those of ``columns``, where some are given."""
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns or ("*",))
    return (
        f"CREATE OR REPLACE TRIGGER search_change AFTER INSERT OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION search_note_change();"
        f"CREATE OR REPLACE TRIGGER search_change_update AFTER UPDATE ON {table} "
        f"FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION search_note_change()"
    )


def unwatch_sql(table: str) -> str:
    """The reverse."""
    return (
        f"DROP TRIGGER IF EXISTS search_change ON {table};"
        f"DROP TRIGGER IF EXISTS search_change_update ON {table}"
    )
