"""Answers about faces: who it is, who it is not, that it is nobody's business.

A face that somebody answered is not asked again: an answer to it raises AlreadyAnswered, unless the caller
says that it overrules what people said. What models and other programs said gives way by itself. All hold the
rules of ``people.rules`` and return their event, which ``people.actions.undo`` takes back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

from django.db import transaction

from people.actions.deed import Deed, Verdict, standing
from people.actions.naming import Choice, ask, is_answered, labels_of, name_as, only
from people.locks import enter_gate
from people.models import Face, PeopleEvent, Person
from people.rules import rejected_pairs

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Kind = PeopleEvent.Kind


@transaction.atomic
def confirm(
    *, face_ids: Collection[int], person: Person, by: By, leave_out: bool = False, instead: bool = False
) -> PeopleEvent:
    """These faces are this person.

    Raises AlreadyAnswered (also for a rejected pair), TwiceInPhoto or BeforeBirth. With ``leave_out`` such
    faces are left out and named in ``event.data["left_out"]`` (face, reason). With ``instead`` another face
    of the same photo to which people gave this name loses it.
    """
    return _name(Kind.CONFIRM, face_ids, person, by, Choice(leave_out=leave_out, instead=instead))


@transaction.atomic
def assign(
    *, face_ids: Collection[int], person: Person, by: By, leave_out: bool = False, instead: bool = False
) -> PeopleEvent:
    """These faces are this person, whatever people said before: also what was rejected or ignored.

    Raises AlreadyAnswered for faces that people named so already, else as ``confirm``.
    """
    choice = Choice(overrule=True, leave_out=leave_out, instead=instead)
    return _name(Kind.ASSIGN, face_ids, person, by, choice)


@transaction.atomic
def reject(*, face_ids: Collection[int], person: Person, by: By, overrule: bool = False) -> PeopleEvent:
    """These faces are not this person: never proposed again. ``overrule``: also when people said they are.

    Raises AlreadyAnswered for faces that have an answer, or this one.
    """
    enter_gate()
    asked = ask(face_ids)
    person = standing(person)
    known = rejected_pairs(asked.faces)
    asked.refuse(
        pk
        for pk, face in asked.faces.items()
        if (pk, person.pk) in known or (is_answered(face) and not overrule)
    )
    deed = Deed(Kind.REJECT, by=by, person=person)
    deed.revoke(labels_of(asked.faces, person).filter(verdict=Verdict.CONFIRMED))
    deed.say(asked.faces, Verdict.REJECTED, person)
    return deed.finish()


@transaction.atomic
def unassign(*, face_ids: Collection[int], by: By) -> PeopleEvent:
    """Take back what was said about whose faces these are: they are unknown again, rejections stay.

    Nothing names them as the same person by itself again; it may be suggested. Raises AlreadyAnswered for
    faces about which nothing is said any more, and for deleted boxes.
    """
    enter_gate()
    asked = ask(face_ids)
    unsaid = (Face.Status.FACE, Face.Status.DELETED)
    asked.refuse(pk for pk, face in asked.faces.items() if face.person_id is None and face.status in unsaid)
    deed = Deed(Kind.UNASSIGN, by=by, person=only(face.person_id for face in asked.faces.values()))
    deed.revoke_answers(list(asked.faces))
    return deed.finish()


@transaction.atomic
def ignore(*, face_ids: Collection[int], by: By, overrule: bool = False) -> PeopleEvent:
    """These are strangers: they are not asked about. Raises AlreadyAnswered."""
    return mark(Kind.IGNORE, Verdict.IGNORED, face_ids, by, overrule=overrule)


@transaction.atomic
def not_a_face(*, face_ids: Collection[int], by: By, overrule: bool = False) -> PeopleEvent:
    """An engine was wrong: these are no faces. Raises AlreadyAnswered."""
    return mark(Kind.NOT_A_FACE, Verdict.NOT_A_FACE, face_ids, by, overrule=overrule)


def mark(kind: str, verdict: str, face_ids: Collection[int], by: By, *, overrule: bool) -> PeopleEvent:
    """Say something about boxes that leaves nobody's face. Used inside a transaction."""
    enter_gate()
    asked = ask(face_ids)
    asked.refuse(
        pk
        for pk, face in asked.faces.items()
        if face.status == verdict or (is_answered(face) and not overrule)
    )
    deed = Deed(kind, by=by, person=only(face.person_id for face in asked.faces.values()))
    deed.revoke_answers(list(asked.faces))
    deed.say(asked.faces, verdict)
    return deed.finish()


def _name(kind: str, face_ids: Collection[int], person: Person, by: By, choice: Choice) -> PeopleEvent:
    enter_gate()
    asked = ask(face_ids)
    person = standing(person)
    deed = Deed(kind, by=by, person=person)
    name_as(deed, asked, person, choice)
    return deed.finish()
