"""The HNSW index of a vector space: partial, on a cast to half precision.

Vector columns have no fixed dimension, so each space has an index of its own. Below a few ten thousand rows
exact search is as fast and misses nothing; an index is made only above ``THRESHOLD``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import psutil
from django.conf import settings
from django.db import OperationalError, connection, transaction

from library.models import EmbeddingSpace, PhotoEmbedding

THRESHOLD: Final = 20_000
MAX_DIMENSIONS: Final = 4_000
"""What an HNSW index of pgvector takes in half precision."""

OPTIONS: Final = ("m=24", "ef_construction=128")
"""Of the index. pgvector's own (16 and 64) find too few of what texts ask for: see docs/benchmarks.md."""

LEAST_EF_SEARCH: Final = 200
BYTES_A_NODE: Final = 1_000
"""About what a node of the graph takes while it is built, beside its vector."""

EMBEDDED: Final = "photos_project.embedded_backend"

_PREFIX: Final = "photo_embedding_hnsw_"


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """What was found and done for one space."""

    space: str
    rows: int
    action: Literal["built", "kept", "dropped", "none"]
    reason: str


def expression(column: str, dimensions: int, kind: str) -> str:
    """The column as vectors of the space's dimension; with ``halfvec`` just as the index has it."""
    if kind == "halfvec":
        return f"({column}::halfvec({dimensions:d}))"
    return f"({column}::vector({dimensions:d}))"


def is_indexed(space_id: int) -> bool:
    """Whether the space has an index that is complete, also one built with other options."""
    return _state(space_id) in ("current", "outdated")


def indexed_rows(space_id: int) -> int | None:
    """How many photos the index of the space held when it was last counted; None without a complete one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_index JOIN pg_class ON oid = indexrelid "
            "WHERE indexrelid = to_regclass(%s) AND indisvalid",
            [f"{_PREFIX}{space_id:d}"],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def ef_search(rows: int) -> int:
    """How many candidates HNSW keeps in mind among so many photos: more where there are more to miss.

    Measured with texts that lie off the pictures (docs/benchmarks.md): 400 finds 98 % of the 20 nearest of
    100,000. pgvector allows 1,000.
    """
    return max(LEAST_EF_SEARCH, min(round(400 * math.pow(rows / 100_000, 0.4)), 1000))


def reindex(*, threshold: int = THRESHOLD) -> list[SpaceReport]:
    """Build what is missing and drop what is not needed any more, without locking anything.

    Must run outside of a transaction (CONCURRENTLY).
    """
    spaces = EmbeddingSpace.objects.filter(kind=EmbeddingSpace.Kind.IMAGE).order_by("pk")
    reports = [_reindex_space(space, threshold) for space in spaces]
    return reports + [
        _drop_orphan(space_id) for space_id in _indexed_spaces() - {space.pk for space in spaces}
    ]


def _reindex_space(space: EmbeddingSpace, threshold: int) -> SpaceReport:
    rows = PhotoEmbedding.objects.filter(space=space).count()
    state = _state(space.pk)
    if space.status == EmbeddingSpace.Status.RETIRED or rows < threshold:
        reason = (
            "the space is retired"
            if space.status == EmbeddingSpace.Status.RETIRED
            else (f"fewer than {threshold} photos: exact search is fast and misses nothing")
        )
        if state != "none":
            _drop(space.pk)
        return SpaceReport(str(space), rows, "none" if state == "none" else "dropped", reason)
    if space.dimensions > MAX_DIMENSIONS:
        return SpaceReport(
            str(space), rows, "none", f"more than {MAX_DIMENSIONS} dimensions cannot be indexed"
        )
    if state == "current":
        return SpaceReport(str(space), rows, "kept", "the index is complete")
    _build(space, rows)
    reason = "it was built with other options" if state == "outdated" else f"{threshold} photos or more"
    return SpaceReport(str(space), rows, "built", reason)


def _build(space: EmbeddingSpace, rows: int) -> None:
    """Beside the old one, if there is any; what an interrupted build leaves behind is invalid and goes."""
    name, column = f"{_PREFIX}{space.pk:d}", expression("vector", space.dimensions, "halfvec")
    statement = (
        f"CREATE INDEX CONCURRENTLY {name}_next ON library_photoembedding "
        f"USING hnsw ({column} halfvec_cosine_ops) WITH ({', '.join(OPTIONS)}) WHERE space_id = {space.pk:d}"
    )
    with connection.cursor() as cursor, _memory_for(rows, space.dimensions):
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}_next")
        try:
            cursor.execute(statement)
        except OperationalError:
            # Builders that share memory need it in /dev/shm, which containers keep small.
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}_next")
            cursor.execute("SET max_parallel_maintenance_workers = 0")
            cursor.execute(statement)
        with transaction.atomic():
            cursor.execute(f"DROP INDEX IF EXISTS {name}; ALTER INDEX {name}_next RENAME TO {name}")
        cursor.execute("ANALYZE library_photoembedding")


@contextmanager
def _memory_for(rows: int, dimensions: int) -> Iterator[None]:
    """The graph in memory, where the database is our own; one that does not fit takes many times as long."""
    needed = rows * (2 * dimensions + BYTES_A_NODE)
    with connection.cursor() as cursor:
        if settings.DATABASES["default"]["ENGINE"] == EMBEDDED:
            megabytes = min(needed, psutil.virtual_memory().available // 3) // 2**20
            cursor.execute(f"SET maintenance_work_mem = '{max(256, megabytes):d}MB'")
        try:
            yield
        finally:
            cursor.execute("RESET maintenance_work_mem; RESET max_parallel_maintenance_workers")


def _drop(space_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_PREFIX}{space_id:d}")


def forget_index(space_id: int) -> None:
    """Drop the index of a space that goes away; inside a transaction, with a short lock on the vectors."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {_PREFIX}{space_id:d}")


def _drop_orphan(space_id: int) -> SpaceReport:
    _drop(space_id)
    return SpaceReport(f"space {space_id}", 0, "dropped", "the space is gone")


State = Literal["none", "invalid", "outdated", "current"]


def _state(space_id: int) -> State:
    """Whether the space has an index, whether it is complete, and whether it has today's options."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid, coalesce(reloptions, '{}') FROM pg_index JOIN pg_class ON oid = indexrelid "
            "WHERE indexrelid = to_regclass(%s)",
            [f"{_PREFIX}{space_id:d}"],
        )
        row = cursor.fetchone()
    if row is None:
        return "none"
    valid, options = row
    if not valid:
        return "invalid"
    return "current" if set(options) == set(OPTIONS) else "outdated"


def _indexed_spaces() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname ~ %s",
            [rf"^{_PREFIX}\d+$"],
        )
        return {int(name.removeprefix(_PREFIX)) for (name,) in cursor.fetchall()}
