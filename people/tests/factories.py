"""Rows of the people floor for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from library.models import Photo
from library.tests.factories import make_space
from people.derivation import derive
from people.models import Face, FaceLabel, Person


def add_face(photo: Photo, **fields: Any) -> Face:
    """Give the photo a face in a small test space."""
    values: dict[str, Any] = {
        "photo": photo,
        "space": make_space("face", 4),
        "x": 0.4,
        "y": 0.2,
        "width": 0.2,
        "height": 0.3,
        "confidence": 0.9,
        "quality": 0.8,
        "embedding": np.array([1, 0, 0, 0], dtype=np.float32),
    }
    return Face.objects.create(**values | fields)


def make_person(name: str = "Anna", **fields: Any) -> Person:
    """Somebody."""
    return Person.objects.create(name=name, **fields)


def say(face: Face, person: Person | None, verdict: str = "confirmed", **fields: Any) -> FaceLabel:
    """Write a label outside of any event, and bring the face in line with it."""
    values = {"source": "human_confirmed"} | fields
    label = FaceLabel.objects.create(face=face, person=person, verdict=verdict, **values)
    derive([face.pk])
    return label
