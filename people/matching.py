"""The nearest people of faces: how alike each face is to the faces that people are recognised by.

A person is as near as the nearest of their prototypes. For a few faces PostgreSQL compares, since bringing
all prototypes here would take longer; for many they are brought here once. Both give the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db import connection

from library.models import EmbeddingSpace
from people.vectors import load, load_faces

#: Up to so many faces are compared by PostgreSQL.
FEW: Final = 24
#: People that are looked at for one face: some of the nearest may be ruled out.
NEAREST: Final = 8

_NEAREST: Final = """
SELECT face.id, near.person_id, near.similarity
FROM people_face face
CROSS JOIN LATERAL (
    SELECT prototype.person_id, 1 - min(other.embedding <=> face.embedding) AS similarity
    FROM people_prototype prototype
    JOIN people_face other ON other.id = prototype.face_id AND other.space_id = face.space_id
    JOIN people_person person ON person.id = prototype.person_id
    WHERE other.id <> face.id AND person.merged_into_id IS NULL AND NOT person.removed
    GROUP BY prototype.person_id ORDER BY similarity DESC LIMIT %(most)s
) near
WHERE face.id = ANY(%(ids)s) AND face.space_id = %(space)s
ORDER BY face.id, near.similarity DESC, near.person_id
"""
_PROTOTYPES: Final = """
SELECT face.id, face.embedding
FROM people_prototype prototype
JOIN people_face face ON face.id = prototype.face_id AND face.space_id = %s
JOIN people_person person ON person.id = prototype.person_id
WHERE person.merged_into_id IS NULL AND NOT person.removed
ORDER BY face.id
"""


@dataclass(frozen=True, slots=True)
class Near:
    """A person near a face, with the cosine to the nearest prototype."""

    person_id: int
    similarity: float


def nearest_people(face_ids: Collection[int], space: EmbeddingSpace) -> dict[int, list[Near]]:
    """For each of these faces the NEAREST people, the nearest first; a face is not its own match."""
    if len(face_ids) <= FEW:
        return _in_database(face_ids, space)
    return _here(face_ids, space)


def _in_database(face_ids: Collection[int], space: EmbeddingSpace) -> dict[int, list[Near]]:
    found: dict[int, list[Near]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST, {"ids": list(face_ids), "space": space.pk, "most": NEAREST})
        for face_id, person_id, similarity in cursor.fetchall():
            found[face_id].append(Near(person_id, similarity))
    return dict(found)


def _here(face_ids: Collection[int], space: EmbeddingSpace) -> dict[int, list[Near]]:
    prototypes = load(_PROTOTYPES, [space.pk], space.dimensions)
    faces = load_faces(face_ids, space.dimensions)
    owner = _owners(space)
    people = sorted(set(owner.values()))
    if not people:
        return {}
    # Grouped by person, so that the best of each is one reduction over neighbouring columns.
    number = {person: place for place, person in enumerate(people)}
    whose = np.array([number[owner[int(pk)]] for pk in prototypes.ids])
    order = np.argsort(whose, kind="stable")
    starts = np.searchsorted(whose[order], np.arange(len(people)))
    found: dict[int, list[Near]] = {}
    for start in range(0, len(faces), 1024):
        ids = faces.ids[start : start + 1024]
        alike = faces.vectors[start : start + 1024] @ prototypes.vectors[order].T
        alike[ids[:, None] == prototypes.ids[order][None, :]] = -1.0
        best = np.maximum.reduceat(alike, starts, axis=1)
        top = np.argsort(-best, axis=1, kind="stable")[:, :NEAREST]
        for row, pk in enumerate(ids.tolist()):
            near = [Near(people[place], float(best[row, place])) for place in top[row].tolist()]
            found[pk] = [one for one in near if one.similarity > -1.0]
    return found


def _owners(space: EmbeddingSpace) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prototype.face_id, prototype.person_id FROM people_prototype prototype "
            "JOIN people_face face ON face.id = prototype.face_id WHERE face.space_id = %s",
            [space.pk],
        )
        return dict(cursor.fetchall())
