"""The data of the people floor, one model a file."""

from __future__ import annotations

from people.models.event import PeopleEvent
from people.models.face import Face, FaceCluster, Prototype
from people.models.imported import ImportedName
from people.models.label import FaceLabel
from people.models.person import Calibration, NotSame, Person
from people.models.suggestion import Suggestion

__all__ = [
    "Calibration",
    "Face",
    "FaceCluster",
    "FaceLabel",
    "ImportedName",
    "NotSame",
    "PeopleEvent",
    "Person",
    "Prototype",
    "Suggestion",
]
