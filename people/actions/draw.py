"""Boxes that people draw, move and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db import transaction

from library.models import Photo
from people.actions.answers import mark
from people.actions.deed import Deed, Verdict, standing
from people.actions.naming import Asked, Choice, ask, name_as
from people.boxes import OTHER_ENGINE_OVERLAP, box_of, checked_box, shared
from people.locks import enter_gate, lock_faces_in
from people.models import Face, PeopleEvent, Person
from people.refusals import FaceThere
from vision.results import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Kind = PeopleEvent.Kind
#: What an engine saw at a place, and what is there when none has looked.
UNSEEN: Final[dict[str, Any]] = {
    "space_id": None,
    "embedding": None,
    "landmarks": [],
    "quality": 0.0,
    "yaw": None,
    "pitch": None,
    "roll": None,
    "age_guess": None,
    "sex_guess": "",
}


@transaction.atomic
def draw_face(*, photo: Photo, box: Box, by: By, person: Person | None = None) -> PeopleEvent:
    """There is a face here that no engine found; ``event.data["drawn"]`` is its key.

    It has no embedding until an engine finds a face at its place. Raises BadBox, FaceThere, and what
    ``people.actions.answers.assign`` raises.
    """
    box = checked_box(box)
    Photo.objects.select_for_update(no_key=True).get(pk=photo.pk)
    enter_gate()
    _refuse_doubles(lock_faces_in([photo.pk]), box)
    face = Face.objects.create(photo=photo, drawn=True, confidence=1.0, **UNSEEN, **_sides(box))
    person = standing(person) if person else None
    deed = Deed(Kind.DRAW, by=by, person=person, drawn=face.pk)
    if person:
        name_as(deed, Asked({face.pk: face}, []), person, Choice(overrule=True))
    return deed.finish()


@transaction.atomic
def move_face(*, face_id: int, box: Box, by: By) -> PeopleEvent:
    """The face is here. From now on its box is a person's. Raises BadBox, FaceThere, AlreadyAnswered.

    Moved so far that it is another place, it loses what engines saw at the old one.
    """
    box = checked_box(box)
    enter_gate()
    asked = ask([face_id])
    asked.refuse(pk for pk, face in asked.faces.items() if face.status == Face.Status.DELETED)
    face = Face.objects.get(pk=face_id)
    _refuse_doubles((other for other in lock_faces_in([face.photo_id]) if other != face), box)
    moved: dict[str, Any] = {"face": face.pk, "before": {**_sides(box_of(face)), "drawn": face.drawn}}
    fields: dict[str, Any] = {**_sides(box), "drawn": True}
    if shared(face, box) <= OTHER_ENGINE_OVERLAP and face.embedding is not None:
        moved["seen"] = {name: getattr(face, name) for name in UNSEEN if name != "embedding"}
        moved["seen"]["embedding"] = [float(number) for number in face.embedding]
        fields |= UNSEEN
    Face.objects.filter(pk=face.pk).update(**fields)
    moved["after"] = _sides(box)
    deed = Deed(Kind.MOVE_BOX, by=by, person=face.person, moved=moved)
    return deed.finish()


@transaction.atomic
def delete_face(*, face_id: int, by: By, overrule: bool = True) -> PeopleEvent:
    """There is no face here. A drawn box goes; where an engine found one, it is said to be none, so that it
    does not come back. Raises AlreadyAnswered for one that is gone.
    """
    drawn = Face.objects.filter(pk=face_id, drawn=True, space__isnull=True).exists()
    verdict = Verdict.DELETED if drawn else Verdict.NOT_A_FACE
    return mark(Kind.DELETE_BOX, verdict, [face_id], by, overrule=overrule)


def _refuse_doubles(faces: Iterable[Face], box: Box) -> None:
    for face in faces:
        if face.status != Face.Status.DELETED and shared(face, box) > OTHER_ENGINE_OVERLAP:
            raise FaceThere(face)


def _sides(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
