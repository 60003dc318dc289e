"""Vectors of faces as one matrix, straight from PostgreSQL's binary form."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection

from people.neighbours import Vectors

#: What COPY writes before the first row without flags, and after the last.
_HEADER, _TRAILER = 19, 2


@dataclass(frozen=True, slots=True)
class FaceVectors:
    """Faces by ascending key, and their unit vectors row by row."""

    ids: npt.NDArray[np.int64]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, face_ids: Collection[int]) -> npt.NDArray[np.int_]:
        """The rows of these faces, all of which must be there, in their order."""
        return np.searchsorted(self.ids, np.fromiter(face_ids, dtype=np.int64, count=len(face_ids)))


def load_faces(face_ids: Collection[int], dimensions: int) -> FaceVectors:
    """The vectors of these faces as far as they are there and have so many dimensions."""
    return load(
        "SELECT id, embedding FROM people_face "
        "WHERE id = ANY(%s) AND vector_dims(embedding) = %s ORDER BY id",
        [list(face_ids), dimensions],
        dimensions,
    )


def load(statement: str, values: list[object], dimensions: int) -> FaceVectors:
    """What a statement gives that selects a key (bigint) and a vector of this size, ordered by key."""
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("key_size", ">i4"),
            ("key", ">i8"),
            ("size", ">i4"),
            ("dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (dimensions,)),
        ]
    )
    connection.ensure_connection()
    raw = bytearray()
    with (
        connection.cursor() as cursor,
        # Django's cursor for debugging knows no values beside a COPY; the driver's own below it does.
        cursor.cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)", values) as copy,
    ):
        for part in copy:
            raw += part
    count = (len(raw) - _HEADER - _TRAILER) // row.itemsize
    table = np.frombuffer(raw, dtype=row, count=count, offset=_HEADER)
    return FaceVectors(table["key"].astype(np.int64), table["vector"].astype(np.float32))
