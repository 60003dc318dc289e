"""Take what a face engine found into the library."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Q

from library.models import EmbeddingSpace
from people.models import Face
from vision.results import DetectedFace

#: Two boxes are of one face when they share more than this of their union.
SAME_ENGINE_OVERLAP = 0.5
#: Detectors draw a face differently: dlib's square from brows to chin covers half of a box from hair to chin.
#: Faces of two people in one photo hardly share a tenth.
OTHER_ENGINE_OVERLAP = 0.3
BOX: Final = ("x", "y", "width", "height")
#: What an engine says about a face, but for its box.
SEEN: Final = (
    "space",
    "confidence",
    "quality",
    "landmarks",
    "yaw",
    "pitch",
    "roll",
    "age_guess",
    "sex_guess",
    "embedding",
)
#: Faces that nobody said anything about: a look with another engine may replace them.
UNSPOKEN = Q(labels__isnull=True, prototype__isnull=True, cover_of__isnull=True, drawn=False)


@transaction.atomic
def replace_faces(*, space: EmbeddingSpace, found: dict[int, list[DetectedFace]]) -> None:
    """Replace the photos' faces by these. A face somebody said something about is never deleted.

    ``found`` maps photo ids to faces. A detection at the place of a kept face is that face: it is not stored
    a second time. When it comes from another engine, the kept face takes all its values over, or it could
    not be compared with today's faces.
    """
    forget_faces(photo_ids=list(found))
    kept: dict[int, list[Face]] = {}
    for face in Face.objects.select_for_update().filter(photo_id__in=found):
        kept.setdefault(face.photo_id, []).append(face)
    new: list[Face] = []
    for photo_id, faces in found.items():
        pairs = _same_places(faces, kept.get(photo_id, []), space)
        for number, detected in enumerate(faces):
            row = _row(photo_id, space, detected)
            known = pairs.get(number)
            if known is None:
                new.append(row)
            elif known.space_id != space.pk:
                row.pk = known.pk
                row.save(force_update=True, update_fields=BOX + SEEN if not known.drawn else SEEN)
    Face.objects.bulk_create(new)


@transaction.atomic
def forget_faces(*, photo_ids: Collection[int]) -> None:
    """Delete the photos' faces but for those that somebody said something about."""
    Face.objects.filter(UNSPOKEN, photo_id__in=photo_ids).delete()


def _row(photo_id: int, space: EmbeddingSpace, face: DetectedFace) -> Face:
    yaw, pitch, roll = face.pose or (None, None, None)
    return Face(
        photo_id=photo_id,
        space=space,
        x=face.box.x,
        y=face.box.y,
        width=face.box.width,
        height=face.box.height,
        confidence=face.confidence,
        quality=face.quality,
        landmarks=[[round(x, 5), round(y, 5)] for x, y in face.landmarks],
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        age_guess=face.age_guess,
        sex_guess=face.sex_guess,
        embedding=face.embedding,
    )


def _same_places(
    found: Sequence[DetectedFace], kept: Sequence[Face], space: EmbeddingSpace
) -> dict[int, Face]:
    """Which detection (by its number) is which kept face: best overlap first, each at most once."""
    pairs = (
        (_overlap(detected, face), number, face) for number, detected in enumerate(found) for face in kept
    )
    same: dict[int, Face] = {}
    taken: set[int] = set()
    for overlap, number, face in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].pk)):
        needed = SAME_ENGINE_OVERLAP if face.space_id == space.pk else OTHER_ENGINE_OVERLAP
        if overlap > needed and number not in same and face.pk not in taken:
            same[number] = face
            taken.add(face.pk)
    return same


def _overlap(found: DetectedFace, old: Face) -> float:
    """Intersection over union of the two boxes."""
    box = found.box
    width = min(box.x + box.width, old.x + old.width) - max(box.x, old.x)
    height = min(box.y + box.height, old.y + old.height) - max(box.y, old.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box.width * box.height + old.width * old.height - shared)
