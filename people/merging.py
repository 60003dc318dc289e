"""What it would mean to make several people one. Reads only; ``people.actions.merge`` does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from django.db.models import Q

from library.access import photos_for
from people.actions.deed import Verdict, standing
from people.models import FaceLabel, Person
from people.refusals import MergeRefused
from people.rules import NamedFace, named_faces, not_same_pairs

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Severity = Literal["never", "ask", "note"]
_ORDER: Final = ("never", "ask", "note")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that speaks against a merge.

    ``never``: it is refused. ``ask``: it is done when somebody who has seen this goes on. ``note``: what
    models and other programs said gives way, or a difference is settled for the person who stays. ``kind``
    is not_same, birth, twice, rejected, account, birth_dates, hidden or unseen. ``photo_ids`` are those of
    the faces.
    """

    kind: str
    severity: Severity
    text: str
    face_ids: tuple[int, ...] = ()
    photo_ids: tuple[int, ...] = ()


class Merging:
    """The people as they are now, their named faces, and which of these would be in each other's way.

    Raises MergeRefused when nobody is left to be merged.
    """

    def __init__(self, into: Person, others: Collection[Person]) -> None:
        self.into = standing(into)
        found = {person.pk: person for person in map(standing, others)}
        found.pop(self.into.pk, None)
        if not found:
            raise MergeRefused(f"To merge takes two; that is {self.into.name} alone.")
        self.others = [found[pk] for pk in sorted(found)]
        self.everybody = [self.into, *self.others]
        self.keys = [person.pk for person in self.everybody]

    @cached_property
    def faces(self) -> list[NamedFace]:
        """The faces of all of them."""
        return named_faces(Q(person__in=self.keys))

    @property
    def born(self) -> Person:
        """Whose birth date will count."""
        return next((person for person in self.everybody if person.birth_date), self.into)

    @cached_property
    def early(self) -> list[NamedFace]:
        """Faces in photos from before that date."""
        birth = self.born.birth_date
        return [face for face in self.faces if birth and face.taken and face.taken < birth]

    @cached_property
    def twice(self) -> list[NamedFace]:
        """Faces that are not the first of these people in their photo: what people said comes first."""
        order = {pk: place for place, pk in enumerate(self.keys)}
        by_photo: dict[int, list[NamedFace]] = defaultdict(list)
        for face in sorted(self.faces, key=lambda face: (not face.said_by_human, order[face.person_id])):
            by_photo[face.photo_id].append(face)
        return [face for same in by_photo.values() for face in same[1:]]

    @cached_property
    def rejected(self) -> list[NamedFace]:
        """Faces of one of them that somebody said are not another one of them."""
        labels = FaceLabel.objects.in_force().about(self.keys).filter(verdict=Verdict.REJECTED)
        faces = set(labels.values_list("face_id", flat=True))
        return [face for face in self.faces if face.pk in faces]


def merge_conflicts(*, into: Person, others: Collection[Person], by: By) -> list[Conflict]:
    """What speaks against merging ``others`` into ``into``, the gravest first.

    ``by`` is told of faces in photos that they may see; of others only that an owner has to look. Raises
    MergeRefused when nobody is left to be merged.
    """
    return conflicts(Merging(into, others), by)


def conflicts(merging: Merging, by: By) -> list[Conflict]:
    """As ``merge_conflicts``."""
    found = [*_about_faces(merging, by), *_about_people(merging)]
    return sorted(found, key=lambda conflict: _ORDER.index(conflict.severity))


def _about_faces(merging: Merging, by: By) -> list[Conflict]:
    name = merging.into.name
    early, twice, rejected = merging.early, merging.twice, merging.rejected
    asked: list[tuple[str, Severity, list[NamedFace], str]] = [
        (
            "birth",
            "never",
            _said(early),
            "{} from before the birth ({birth}): correct one of the dates first.",
        ),
        ("twice", "ask", _said(twice), "{} with another face of {name} in it: the others lose the name."),
        ("rejected", "ask", _said(rejected), "{} of which somebody said that it is not one of them."),
        ("birth", "note", _not_said(early), "{} from before the birth: the guessed name goes."),
        ("twice", "note", _not_said(twice), "{} with another face of {name} in it: the guessed name goes."),
        ("rejected", "note", _not_said(rejected), "{} of which somebody said no: the guessed name goes."),
    ]
    visible = _visible([face for _, _, faces, _ in asked for face in faces], by)
    found: list[Conflict] = []
    for kind, severity, faces, text in asked:
        seen = [face for face in faces if face.photo_id in visible]
        if seen:
            photos = f"{len(seen)} photo{'s' if len(seen) > 1 else ''}"
            words = text.format(photos, name=name, birth=merging.born.birth_date)
            keys = tuple(face.pk for face in seen)
            found.append(Conflict(kind, severity, words, keys, tuple(face.photo_id for face in seen)))
        elif faces and severity != "note":
            found.append(Conflict("unseen", "never", "Only an owner of the library can merge these."))
    return found


def _about_people(merging: Merging) -> list[Conflict]:
    found: list[Conflict] = []
    into, names = merging.into, {person.pk: person.name for person in merging.everybody}
    for one, two in sorted(not_same_pairs(merging.keys)):
        if one in names and two in names:
            text = f"Somebody said that {names[one]} and {names[two]} are not the same. Take that back first."
            found.append(Conflict("not_same", "never", text))
    accounts = [str(person.user) for person in merging.everybody if person.user]
    if len(accounts) > 1:
        text = f"They have accounts: {', '.join(accounts)}. {accounts[0]} stays with {into.name}."
        found.append(Conflict("account", "ask", text))
    births = {str(person.birth_date) for person in merging.everybody if person.birth_date}
    if len(births) > 1:
        text = f"Their birth dates differ ({', '.join(sorted(births))}): {merging.born.birth_date} stays."
        found.append(Conflict("birth_dates", "note", text))
    if len({person.hidden for person in merging.everybody}) > 1:
        text = f"Some of them are hidden: {into.name} stays {'hidden' if into.hidden else 'shown'}."
        found.append(Conflict("hidden", "note", text))
    return found


def _said(faces: Sequence[NamedFace]) -> list[NamedFace]:
    return [face for face in faces if face.said_by_human]


def _not_said(faces: Sequence[NamedFace]) -> list[NamedFace]:
    return [face for face in faces if not face.said_by_human]


def _visible(faces: Sequence[NamedFace], by: By) -> set[int]:
    photos = {face.photo_id for face in faces}
    if by is None or not photos:
        return photos
    return set(photos_for(by).filter(pk__in=photos).values_list("pk", flat=True))
