"""Take what a face engine found into the library."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction

from library.models import EmbeddingSpace
from people.models import Face
from vision.results import DetectedFace


@transaction.atomic
def replace_faces(*, space: EmbeddingSpace, found: dict[int, list[DetectedFace]]) -> None:
    """Replace the photos' faces by these. A face somebody said something about is never deleted.

    ``found`` maps photo ids to faces. A detection that covers the same place as a kept face (more than
    half of their union) is that face: it is not stored a second time. When it comes from another engine, the
    kept face takes its values over, or it could not be compared with today's faces.
    """
    forget_faces(photo_ids=list(found))
    kept: dict[int, list[Face]] = {}
    for face in Face.objects.select_for_update().filter(photo_id__in=found):
        kept.setdefault(face.photo_id, []).append(face)
    new: list[Face] = []
    for photo_id, faces in found.items():
        for detected in faces:
            row = _row(photo_id, space, detected)
            known = _at_the_same_place(detected, kept.get(photo_id, []))
            if known is None:
                new.append(row)
            elif known.space_id != space.pk:
                row.pk, row.created_at, known.space = known.pk, known.created_at, space
                row.save(force_update=True)
    Face.objects.bulk_create(new)


@transaction.atomic
def forget_faces(*, photo_ids: Collection[int]) -> None:
    """Delete the photos' faces but for those that somebody said something about."""
    faces = Face.objects.filter(photo_id__in=photo_ids)
    faces.filter(labels__isnull=True, prototype__isnull=True, cover_of__isnull=True).delete()


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


def _at_the_same_place(found: DetectedFace, kept: Sequence[Face]) -> Face | None:
    best = max(kept, key=lambda face: _overlap(found, face), default=None)
    return best if best is not None and _overlap(found, best) > 0.5 else None


def _overlap(found: DetectedFace, old: Face) -> float:
    """Intersection over union of the two boxes."""
    box = found.box
    width = min(box.x + box.width, old.x + old.width) - max(box.x, old.x)
    height = min(box.y + box.height, old.y + old.height) - max(box.y, old.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box.width * box.height + old.width * old.height - shared)
