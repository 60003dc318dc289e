"""A small world of faces whose likeness is chosen: for tests of matching, naming and clustering."""

from __future__ import annotations

from typing import Any

import numpy as np

from library.models import Photo
from library.tests.factories import make_photo, make_space
from people.actions.prototypes import choose_prototypes
from people.models import Face, FaceLabel, Person
from people.tests.factories import add_face

DIMENSIONS = 32
#: The space of these tests is of an engine nobody knows: people.thresholds.CAUTIOUS holds.
ASK, NAME = 0.5, 0.75


def look(who: int, alike: float = 1.0, *, noise: int = 0) -> np.ndarray:
    """A unit vector with cosine ``alike`` to the look of ``who`` (0 to 7); ``noise`` chooses the rest.

    Different ``noise`` gives directions that have nothing in common.
    """
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[who] = alike
    vector[8 + noise % (DIMENSIONS - 8)] = (1 - alike**2) ** 0.5
    return vector


def between(who: int, other: int, alike: float, alike_other: float, *, noise: int = 0) -> np.ndarray:
    """A unit vector with these cosines to two people."""
    vector = look(who, alike, noise=noise)
    vector[other] = alike_other
    vector[8 + noise % (DIMENSIONS - 8)] = (1 - alike**2 - alike_other**2) ** 0.5
    return vector


def face_like(vector: np.ndarray, photo: Photo | None = None, **fields: Any) -> Face:
    """A face of this look, in a photo of its own unless one is given."""
    return add_face(
        photo or make_photo(),
        **{"space": make_space("face", DIMENSIONS), "embedding": vector, "quality": 0.7} | fields,
    )


def known_person(name: str, who: int, *, faces: int = 1, **fields: Any) -> Person:
    """Somebody whom people named on faces of exactly their look, and who is recognised by them."""
    person = Person.objects.create(name=name, **fields)
    for _ in range(faces):
        confirmed(face_like(look(who)), person)
    choose_prototypes(person_ids=[person.pk])
    return person


def confirmed(face: Face, person: Person) -> Face:
    """As if a person had said so, without anything that follows from it."""
    FaceLabel.objects.create(face=face, person=person, verdict="confirmed", source="human_confirmed")
    Face.objects.filter(pk=face.pk).update(person=person, person_source="human_confirmed")
    face.refresh_from_db()
    return face


def names() -> dict[int, str]:
    """Face to name, of all named faces."""
    return dict(Face.objects.filter(person__isnull=False).values_list("pk", "person__name"))
