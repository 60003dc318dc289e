"""Take what a face engine found into the library."""

from __future__ import annotations

from django.db import transaction

from library.models import EmbeddingSpace
from people.models import Face
from vision.results import DetectedFace


@transaction.atomic
def replace_faces(*, space: EmbeddingSpace, found: dict[int, list[DetectedFace]]) -> None:
    """Replace the photos' faces by these. A face somebody said something about is never deleted.

    ``found`` maps photo ids to faces. A detection that covers the same place as a kept face (more than
    half of their union) is that face: it is not stored a second time.
    """
    faces = Face.objects.select_for_update().filter(photo_id__in=found)
    faces.filter(labels__isnull=True, prototype__isnull=True, cover_of__isnull=True).delete()
    kept: dict[int, list[Face]] = {}
    for face in Face.objects.filter(photo_id__in=found):
        kept.setdefault(face.photo_id, []).append(face)
    Face.objects.bulk_create(
        _row(photo_id, space, face)
        for photo_id, faces_found in found.items()
        for face in faces_found
        if not any(_overlap(face, old) > 0.5 for old in kept.get(photo_id, ()))
    )


def _row(photo_id: int, space: EmbeddingSpace, face: DetectedFace) -> Face:
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
        embedding=face.embedding,
    )


def _overlap(found: DetectedFace, old: Face) -> float:
    """Intersection over union of the two boxes."""
    box = found.box
    width = min(box.x + box.width, old.x + old.width) - max(box.x, old.x)
    height = min(box.y + box.height, old.y + old.height) - max(box.y, old.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box.width * box.height + old.width * old.height - shared)
