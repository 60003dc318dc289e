"""Take what a face engine found into the library."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from library.models import EmbeddingSpace
from people.boxes import OTHER_ENGINE_OVERLAP, SAME_ENGINE_OVERLAP, shared
from people.locks import enter_alone, enter_gate, lock_faces_in
from people.models import Face, FaceLabel, Suggestion
from vision.results import DetectedFace

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
_SAID = FaceLabel.objects.filter(face=OuterRef("pk")).exclude(source=FaceLabel.Source.MODEL_GUESS)
#: Faces that neither a person nor another program said anything about: an engine may replace them.
UNSPOKEN = Q(~Exists(_SAID), prototype__isnull=True, cover_of__isnull=True, drawn=False)


@transaction.atomic
def replace_faces(*, space: EmbeddingSpace, found: dict[int, list[DetectedFace]]) -> None:
    """Replace the photos' faces by these. A face somebody said something about is never deleted.

    ``found`` maps photo ids to faces. A detection at the place of a known face is that face, with all that
    was said, rejected and guessed about it: it is not stored a second time. It takes over what the engine
    sees, or it could not be compared with today's faces; only a labelled face that this engine has seen
    before stays as it is. A box that a person drew stays where it is.
    """
    enter_gate()
    known: dict[int, list[Face]] = {}
    for face in lock_faces_in(found):
        if face.status != Face.Status.DELETED:
            known.setdefault(face.photo_id, []).append(face)
    unspoken = set(Face.objects.filter(UNSPOKEN, photo_id__in=found).values_list("pk", flat=True))
    new: list[Face] = []
    again: list[tuple[Face, Face]] = []
    for photo_id, faces in found.items():
        pairs = _same_places(faces, known.get(photo_id, []), space)
        rows = [_row(photo_id, space, detected) for detected in faces]
        new += (row for number, row in enumerate(rows) if number not in pairs)
        again += ((face, rows[number]) for number, face in pairs.items())
    Face.objects.filter(pk__in=unspoken - {face.pk for face, _ in again}).delete()
    _take_over([(face, row) for face, row in again if face.pk in unspoken or face.space_id != space.pk])
    Face.objects.bulk_create(new)


@transaction.atomic
def forget_faces(*, photo_ids: Collection[int]) -> None:
    """Delete the photos' faces but for those that somebody said something about."""
    enter_alone()
    Face.objects.filter(UNSPOKEN, photo_id__in=photo_ids).delete()


def _take_over(again: Sequence[tuple[Face, Face]]) -> None:
    """Give known faces the values of the rows that were seen at their places."""
    moved = [face.pk for face, row in again if face.space_id != row.space_id]
    for face, row in again:
        if face.space_id != row.space_id:
            face.cluster = None
        for name in SEEN if face.drawn else BOX + SEEN:
            setattr(face, name, getattr(row, name))
    Face.objects.bulk_update([face for face, _ in again], [*BOX, *SEEN, "cluster"])
    # They were made out by other numbers.
    Suggestion.objects.filter(face__in=moved).delete()


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
        (shared(face, detected.box), number, face) for number, detected in enumerate(found) for face in kept
    )
    same: dict[int, Face] = {}
    taken: set[int] = set()
    for overlap, number, face in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].pk)):
        needed = SAME_ENGINE_OVERLAP if face.space_id == space.pk else OTHER_ENGINE_OVERLAP
        if overlap > needed and number not in same and face.pk not in taken:
            same[number] = face
            taken.add(face.pk)
    return same
