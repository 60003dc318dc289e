"""Boxes of faces: when two are of one face."""

from __future__ import annotations

from typing import Final

from people.models import Face
from people.refusals import BadBox
from vision.imaging.regions import overlap
from vision.results import Box

#: Two boxes are of one face when they share more than this of their union.
SAME_ENGINE_OVERLAP: Final = 0.5
#: Detectors draw a face differently: dlib's square from brows to chin covers half of a box from hair to chin.
#: Faces of two people in one photo hardly share a tenth.
OTHER_ENGINE_OVERLAP: Final = 0.3
#: The smallest side of a drawn box, as a fraction of the photo: 8 pixels of a preview.
SMALLEST: Final = 0.004


def box_of(face: Face) -> Box:
    """Where the face is."""
    return Box(face.x, face.y, face.width, face.height)


def shared(one: Face, other: Face | Box) -> float:
    """Intersection over union of the two places."""
    return overlap(box_of(one), other if isinstance(other, Box) else box_of(other))


def checked_box(box: Box) -> Box:
    """The part of a drawn box that is inside the photo. Raises BadBox when hardly anything is."""
    numbers = (box.x, box.y, box.width, box.height)
    if not all(abs(number) < 10 for number in numbers):  # also False for NaN
        raise BadBox("The box is not inside the photo.")
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right, bottom = min(box.x + box.width, 1.0), min(box.y + box.height, 1.0)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        raise BadBox("The box is too small, or outside the photo.")
    return Box(round(left, 6), round(top, 6), round(right - left, 6), round(bottom - top, 6))
