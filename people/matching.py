"""The nearest people of faces: how alike each face is to the faces that people are recognised by.

A person is as near as the nearest of their prototypes. The prototypes of a space are kept in the memory of
each process, since bringing their vectors takes many times as long as comparing them; a stamp over their rows
says whether they are still the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from library.models import EmbeddingSpace
from people.neighbours import Vectors
from people.vectors import load_faces

#: People that are looked at for one face: some of the nearest may be ruled out.
NEAREST: Final = 8
#: Faces that are compared in one multiplication.
_AT_ONCE: Final = 1024
_FEW: Final = 16

# Where a row lies and which transaction wrote it: together they change with whatever is written, also about
# the faces and people of prototypes (migration 0009).
_STAMP: Final = "SELECT count(*), sum(hashtextextended(ctid::text, xmin::text::bigint)) FROM people_prototype"
_OWNERS: Final = """
SELECT face.id, person.id
FROM people_prototype prototype
JOIN people_face face ON face.id = prototype.face_id AND face.space_id = %s
JOIN people_person person ON person.id = prototype.person_id
WHERE person.merged_into_id IS NULL AND NOT person.removed
"""


@dataclass(frozen=True, slots=True)
class Near:
    """A person near a face, with the cosine to the nearest prototype."""

    person_id: int
    similarity: float


@dataclass(frozen=True, slots=True)
class _Prototypes:
    """The faces that people are recognised by, person by person.

    ``starts`` are the rows at which each of ``people`` begins, so that the best of each is one reduction.
    """

    stamp: Any
    ids: npt.NDArray[np.int64]
    vectors: Vectors
    people: list[int]
    starts: npt.NDArray[np.int_]


_kept: dict[int, _Prototypes] = {}


def nearest_people(face_ids: Collection[int], space: EmbeddingSpace) -> dict[int, list[Near]]:
    """For each of these faces the NEAREST people, the nearest first; a face is not its own match."""
    known = _prototypes(space)
    if not known.people:
        return {}
    faces = load_faces(face_ids, space.dimensions)
    found: dict[int, list[Near]] = {}
    for start in range(0, len(faces), _AT_ONCE):
        ids = faces.ids[start : start + _AT_ONCE]
        alike = _products(faces.vectors[start : start + _AT_ONCE], known.vectors)
        alike[ids[:, None] == known.ids[None, :]] = -1.0
        best = np.maximum.reduceat(alike, known.starts, axis=1)
        top = np.argsort(-best, axis=1, kind="stable")[:, :NEAREST]
        for row, pk in enumerate(ids.tolist()):
            near = [Near(known.people[place], float(best[row, place])) for place in top[row].tolist()]
            found[pk] = [one for one in near if one.similarity > -1.0]
    return found


def _products(some: Vectors, others: Vectors) -> Vectors:
    """[N, M] dot products of N and M rows.

    Of a few rows without BLAS: its threads go on spinning for ten milliseconds, which the database needs.
    """
    if len(some) <= _FEW:
        products: Vectors = np.einsum("nd,md->nm", some, others)
        return products
    return some @ others.T


def _prototypes(space: EmbeddingSpace) -> _Prototypes:
    """Those of now. The stamp is read first: what changes meanwhile shows at the next call."""
    with connection.cursor() as cursor:
        cursor.execute(_STAMP)
        stamp = cursor.fetchone()
        kept = _kept.get(space.pk)
        if kept is not None and kept.stamp == stamp:
            return kept
        cursor.execute(_OWNERS, [space.pk])
        owner = dict(cursor.fetchall())
    faces = load_faces(owner, space.dimensions)
    whose = np.fromiter((owner[pk] for pk in faces.ids.tolist()), dtype=np.int64, count=len(faces))
    order = np.argsort(whose, kind="stable")
    people, starts = np.unique(whose[order], return_index=True)
    found = _Prototypes(stamp, faces.ids[order], faces.vectors[order], people.tolist(), starts)
    _kept[space.pk] = found
    return found
