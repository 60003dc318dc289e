"""The data of the people floor, one model a file."""

from __future__ import annotations

from people.models.face import Face, Prototype
from people.models.imported import ImportedName
from people.models.label import FaceLabel
from people.models.person import Person

__all__ = ["Face", "FaceLabel", "ImportedName", "Person", "Prototype"]
