"""The HNSW index of a vector space: partial, on a cast to half precision.

Vector columns have no fixed dimension, so each space has an index of its own. Below a few ten thousand rows
exact search is as fast and misses nothing; an index is made only above ``THRESHOLD``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from django.db import connection

from library.models import EmbeddingSpace, PhotoEmbedding

THRESHOLD: Final = 20_000
MAX_DIMENSIONS: Final = 4_000
"""What an HNSW index of pgvector takes in half precision."""

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
    """Whether the space has an index that is complete."""
    return _state(space_id) is True


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
        if state is not None:
            _drop(space.pk)
        return SpaceReport(str(space), rows, "none" if state is None else "dropped", reason)
    if space.dimensions > MAX_DIMENSIONS:
        return SpaceReport(
            str(space), rows, "none", f"more than {MAX_DIMENSIONS} dimensions cannot be indexed"
        )
    if state:
        return SpaceReport(str(space), rows, "kept", "the index is complete")
    _drop(space.pk)  # what an interrupted build leaves behind is invalid
    _build(space)
    return SpaceReport(str(space), rows, "built", f"{threshold} photos or more")


def _build(space: EmbeddingSpace) -> None:
    column = expression("vector", space.dimensions, "halfvec")
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {_PREFIX}{space.pk:d} ON library_photoembedding "
            f"USING hnsw ({column} halfvec_cosine_ops) WHERE space_id = {space.pk:d}"
        )
        cursor.execute("ANALYZE library_photoembedding")


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


def _state(space_id: int) -> bool | None:
    """Whether the index of the space is valid; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [f"{_PREFIX}{space_id:d}"]
        )
        row = cursor.fetchone()
    return None if row is None else bool(row[0])


def _indexed_spaces() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname ~ %s",
            [rf"^{_PREFIX}\d+$"],
        )
        return {int(name.removeprefix(_PREFIX)) for (name,) in cursor.fetchall()}
