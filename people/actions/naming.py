"""Give faces a name as part of a deed: what all actions that confirm have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from people.actions.deed import Deed, Source, Verdict
from people.locks import lock_photos_of
from people.models import Face, FaceLabel, Person
from people.refusals import AlreadyAnswered, PeopleRefused, TwiceInPhoto
from people.rules import before_birth, named_faces, rejected_pairs


@dataclass(frozen=True, slots=True)
class Choice:
    """How far an answer goes: over what people said, without the hindered ones, taking names from others."""

    overrule: bool = False
    leave_out: bool = False
    instead: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Faces of a question, locked. Those in ``gone`` are not there any more."""

    faces: Mapping[int, Face]
    gone: list[int]

    def refuse(self, answered: Iterable[int]) -> None:
        """Raise AlreadyAnswered when some are answered, or gone."""
        refused = [*answered, *self.gone]
        if refused or not self.faces:
            raise AlreadyAnswered(refused)


def ask(face_ids: Collection[int]) -> Asked:
    """Lock the photos of these faces; nobody else answers about them until the transaction ends."""
    wanted = set(face_ids)
    faces = {face.pk: face for face in lock_photos_of(wanted) if face.pk in wanted}
    return Asked(faces, sorted(wanted - set(faces)))


def is_answered(face: Face) -> bool:
    """Whether a person has said what there is to say about the face."""
    return face.status != Face.Status.FACE or face.person_source == Source.HUMAN_CONFIRMED


def labels_of(face_ids: Iterable[int], person: Person) -> QuerySet[FaceLabel]:
    """The labels in force about these faces and this person, or somebody merged into it."""
    return FaceLabel.objects.in_force().about([person.pk]).filter(face__in=list(face_ids))


def only(person_ids: Iterable[int | None]) -> Person | None:
    """The person, when it is one and the same for all."""
    found = set(person_ids)
    key = found.pop() if len(found) == 1 else None
    return Person.objects.get(pk=key) if key is not None else None


def name_as(deed: Deed, asked: Asked, person: Person, choice: Choice) -> None:
    """Confirm the faces as part of a deed. Raises the first reason why not, or leaves such faces out.

    What was left out is in ``deed.data["left_out"]``: face and reason. Raises AlreadyAnswered when that is
    all of them.
    """
    hindered = _hindered(asked, person, choice)
    if hindered and not choice.leave_out:
        raise next(iter(hindered.values()))
    named = [pk for pk in asked.faces if pk not in hindered]
    if not named:
        raise AlreadyAnswered([*asked.faces, *asked.gone])
    if hindered:
        deed.data["left_out"] = [[pk, str(reason)] for pk, reason in hindered.items()]
    deed.revoke_answers(named)
    if choice.overrule:
        deed.revoke(labels_of(named, person).filter(verdict=Verdict.REJECTED))
    if choice.instead:
        photos = Face.objects.filter(pk__in=named).values("photo")
        others = Face.objects.filter(photo__in=photos, person=person).exclude(pk__in=named)
        deed.revoke_answers(list(others.values_list("pk", flat=True)))
    deed.say(named, Verdict.CONFIRMED, person)


def _hindered(asked: Asked, person: Person, choice: Choice) -> dict[int, PeopleRefused]:
    """Which of the faces cannot be named so, and why."""
    hindered: dict[int, PeopleRefused] = {pk: AlreadyAnswered([pk]) for pk in asked.gone}
    rejected = set() if choice.overrule else rejected_pairs(asked.faces)
    for pk, face in asked.faces.items():
        same = face.person_id == person.pk and face.person_source == Source.HUMAN_CONFIRMED
        if same or (pk, person.pk) in rejected or (is_answered(face) and not choice.overrule):
            hindered[pk] = AlreadyAnswered([pk])
    if choice.leave_out:
        free = [face for pk, face in asked.faces.items() if pk not in hindered]
        hindered |= _against_rules(free, person, choice)
    return hindered


def _against_rules(faces: list[Face], person: Person, choice: Choice) -> dict[int, PeopleRefused]:
    """The faces that the rules will refuse; of several in one photo the best stays."""
    hindered: dict[int, PeopleRefused] = {**before_birth([face.pk for face in faces], person)}
    holders: dict[int, int] = {}
    if not choice.instead:
        named = named_faces(Q(photo__in={face.photo_id for face in faces}, person=person))
        holders = {face.photo_id: face.pk for face in named if face.said_by_human}
    for face in sorted(faces, key=lambda face: (-face.quality, face.pk)):
        if face.pk not in hindered and holders.setdefault(face.photo_id, face.pk) != face.pk:
            hindered[face.pk] = TwiceInPhoto(person, face.pk, holders[face.photo_id])
    return hindered
