"""Two people who are one, and one who is two.

A merge moves nothing: those who are merged point to the person they are now, and their labels, rejections,
imported names and "not the same" count for that person from then on. So it is undone by pointing nowhere.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

from django.db import transaction

from people.actions.deed import Deed, Verdict, standing
from people.actions.naming import Choice, ask, name_as
from people.actions.persons import clean_name
from people.locks import enter_alone, enter_gate, lock_photos_of
from people.merging import Merging, conflicts
from people.models import FaceLabel, NotSame, PeopleEvent, Person
from people.refusals import MergeRefused, PeopleRefused

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Kind = PeopleEvent.Kind


@transaction.atomic
def merge(*, into: Person, others: Collection[Person], by: By, overrule: bool = False) -> PeopleEvent:
    """Make these people one. ``overrule`` goes on over conflicts that ask (see ``people.merging``).

    Where two faces of one photo would be the same person, those of ``others`` lose their name; where a face
    was said to be one of them and not another, it keeps its name. Birth date, account and cover of ``into``
    stay, and come from the others where it has none; notes are put together. Raises MergeRefused with the
    conflicts.
    """
    enter_alone()
    merging = Merging(into, others)
    against = [conflict for conflict in conflicts(merging, by) if conflict.severity != "note"]
    if any(conflict.severity == "never" or not overrule for conflict in against):
        raise MergeRefused(" ".join(conflict.text for conflict in against), against)
    labels = FaceLabel.objects.in_force().about(merging.keys)
    faces = set(labels.values_list("face_id", flat=True))
    lock_photos_of(faces)
    deed = Deed(Kind.MERGE, by=by, person=merging.into)
    deed.data["merged"] = [[person.pk, person.name] for person in merging.others]
    deed.faces |= faces
    _overrule(deed, merging)
    _combine(deed, merging)
    return deed.finish()


@transaction.atomic
def split(
    *, person: Person, face_ids: Collection[int], by: By, name: str = "", into: Person | None = None
) -> PeopleEvent:
    """These faces of the person are somebody else: ``into``, or a new person called ``name``.

    The two are remembered as not the same, and the faces as not the first one's. ``event.person`` is who the
    faces are now. Raises AlreadyAnswered for faces that are not the person's any more, BadName, TwiceInPhoto,
    BeforeBirth.
    """
    enter_gate()
    asked = ask(face_ids)
    person = standing(person)
    asked.refuse(pk for pk, face in asked.faces.items() if face.person_id != person.pk)
    other = standing(into) if into is not None else Person.objects.create(name=clean_name(name))
    if other == person:
        raise PeopleRefused(f"They are faces of {person.name} already.")
    deed = Deed(Kind.SPLIT, by=by, person=other, of=person.pk)
    if into is None:
        deed.data["created"] = other.pk
    name_as(deed, asked, other, Choice(overrule=True))
    deed.say(asked.faces, Verdict.REJECTED, person)
    one, two = sorted((person, other), key=lambda one: one.pk)
    _, made = NotSame.objects.get_or_create(one=one, two=two, defaults={"event": deed.event})
    if made:
        deed.data["not_same"] = [one.pk, two.pk]
    return deed.finish()


def _overrule(deed: Deed, merging: Merging) -> None:
    """Take back what people said and what would speak against it."""
    losing = {face.pk for face in merging.twice if face.said_by_human}
    deed.revoke_answers(losing)
    keeping = [face.pk for face in merging.rejected if face.said_by_human and face.pk not in losing]
    rejections = FaceLabel.objects.about(merging.keys).filter(face__in=keeping, verdict=Verdict.REJECTED)
    deed.revoke(rejections)


def _combine(deed: Deed, merging: Merging) -> None:
    into, everybody = merging.into, merging.everybody
    account = next((person.user_id for person in everybody if person.user_id), None)
    for merged in Person.objects.filter(merged_into__in=merging.others).order_by("pk"):
        deed.change(merged, merged_into_id=into.pk)
    for other in merging.others:
        freed = {"user_id": None} if account and other.user_id == account else {}
        deed.change(other, merged_into_id=into.pk, **freed)
    deed.change(
        into,
        birth_date=merging.born.birth_date,
        user_id=account,
        notes="\n\n".join(dict.fromkeys(person.notes for person in everybody if person.notes)),
        cover_id=next((person.cover_id for person in everybody if person.cover_id), None),
    )
