"""An answer as a page sends it → the deed, and what to say about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from people.access import faces_for, people_for
from people.actions import answers, draw
from people.actions.persons import create_person
from people.inbox import person_by_name
from people.models import PeopleEvent, Person
from people.refusals import AlreadyAnswered, PeopleRefused, PersonGone

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

VERDICTS: Final = ("confirm", "reject", "name", "unassign", "ignore", "not_a_face", "delete")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was sent. ``deliberate``: about a face that may have a name already, which is to give way."""

    verdict: str
    face_ids: Sequence[int]
    person_id: int | None = None
    name: str = ""
    deliberate: bool = False
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What happened, in words, and the event that undoes it."""

    said: str
    event: PeopleEvent


def reply(answer: Answer, user: AbstractBaseUser) -> Reply:
    """Do what was answered. Raises PeopleRefused with the reason for the person who asked."""
    visible = set(faces_for(user).filter(pk__in=answer.face_ids).values_list("pk", flat=True))
    if not visible or visible != set(answer.face_ids):
        raise AlreadyAnswered(list(answer.face_ids))
    if answer.verdict == "name":
        return _named(answer, user)
    if answer.verdict in ("confirm", "reject"):
        return _about(answer, _person(answer, user), user)
    return _without_name(answer, user)


def _named(answer: Answer, user: AbstractBaseUser) -> Reply:
    if not answer.name.strip():
        raise PeopleRefused("Type a name first.")
    person = person_by_name(user, answer.name)
    if person is not None:
        return _confirmed(answer, person, user)
    event = create_person(
        name=answer.name, face_ids=answer.face_ids, by=user, leave_out=len(answer.face_ids) > 1
    )
    return Reply(_told(event, answer), event)


def _about(answer: Answer, person: Person, user: AbstractBaseUser) -> Reply:
    if answer.verdict == "confirm":
        return _confirmed(answer, person, user)
    event = answers.reject(face_ids=answer.face_ids, person=person, by=user, overrule=answer.deliberate)
    return Reply(f"Not {person.name}.", event)


def _confirmed(answer: Answer, person: Person, user: AbstractBaseUser) -> Reply:
    act = answers.assign if answer.deliberate else answers.confirm
    several = len(answer.face_ids) > 1
    event = act(face_ids=answer.face_ids, person=person, by=user, leave_out=several, instead=answer.instead)
    return Reply(_told(event, answer), event)


def _without_name(answer: Answer, user: AbstractBaseUser) -> Reply:
    faces, several = answer.face_ids, len(answer.face_ids) > 1
    if answer.verdict == "unassign":
        return Reply("The name was taken away.", answers.unassign(face_ids=faces, by=user))
    if answer.verdict == "ignore":
        event = answers.ignore(face_ids=faces, by=user, overrule=answer.deliberate)
        return Reply(f"{len(faces)} faces are ignored." if several else "Ignored.", event)
    if answer.verdict == "not_a_face":
        event = answers.not_a_face(face_ids=faces, by=user, overrule=answer.deliberate)
        return Reply("These are no faces." if several else "Not a face.", event)
    if answer.verdict == "delete" and not several:
        return Reply("The box was deleted.", draw.delete_face(face_id=faces[0], by=user))
    raise PeopleRefused("This answer is not known.")


def _person(answer: Answer, user: AbstractBaseUser) -> Person:
    person = people_for(user).filter(pk=answer.person_id or 0).first()
    if person is None:
        raise PersonGone("This person is not there any more.")
    return person


def _told(event: PeopleEvent, answer: Answer) -> str:
    left_out = len(event.data.get("left_out", ()))
    named = len(answer.face_ids) - left_out
    name = event.person.name if event.person else ""
    text = f"This is {name}." if len(answer.face_ids) == 1 else f"{named} faces are {name}."
    return f"{text} {left_out} could not be." if left_out else text
