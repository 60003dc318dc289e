"""People themselves: new ones, their names and dates, their covers and good faces, who is not whom."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from people.actions.deed import Deed, standing
from people.actions.naming import Choice, ask, name_as
from people.locks import enter_alone, enter_gate
from people.models import NotSame, PeopleEvent, Person, Prototype
from people.refusals import AlreadyAnswered, BadName, PeopleRefused
from people.rules import before_birth

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Kind = PeopleEvent.Kind
LONGEST_NAME: Final = 200
#: What ``edit`` changes.
FIELDS: Final = ("name", "birth_date", "notes", "user", "hidden")


@transaction.atomic
def create_person(
    *, name: str, face_ids: Collection[int] = (), by: By, leave_out: bool = False, **fields: Any
) -> PeopleEvent:
    """A new person, with these faces; ``event.person`` is who was made. ``fields`` as in ``edit``.

    Raises BadName, and what ``people.actions.answers.confirm`` raises.
    """
    person = Person(name=clean_name(name), **_checked(fields))
    enter_gate()
    person.save()
    deed = Deed(Kind.CREATE_PERSON, by=by, person=person, created=person.pk)
    if face_ids:
        name_as(deed, ask(face_ids), person, Choice(leave_out=leave_out))
    return deed.finish()


@transaction.atomic
def rename(*, person: Person, name: str, by: By) -> PeopleEvent:
    """Another name. Raises BadName."""
    return _edit(Kind.RENAME, person, by, {"name": clean_name(name)})


@transaction.atomic
def edit(*, person: Person, by: By, **fields: Any) -> PeopleEvent:
    """Change ``name``, ``birth_date``, ``notes``, ``user`` (whose account it is) or ``hidden``.

    A new birth date takes names that models and other programs gave off older photos. Raises BeforeBirth when
    people named the person in such a photo, BadName, and PeopleRefused for a date to come or an account that
    is somebody else's.
    """
    if "name" in fields:
        fields["name"] = clean_name(fields["name"])
    return _edit(Kind.EDIT, person, by, _checked(fields))


def clean_name(name: str) -> str:
    """The name with single spaces. Raises BadName for one that is empty or too long."""
    clean = " ".join(name.split())
    if not clean or not clean.isprintable():
        raise BadName("A person needs a name of letters.")
    if len(clean) > LONGEST_NAME:
        raise BadName(f"The name is longer than {LONGEST_NAME} characters.")
    return clean


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    strange = set(fields) - set(FIELDS)
    if strange:
        raise TypeError(f"People have no {', '.join(sorted(strange))} to edit.")
    birth: date | None = fields.get("birth_date")
    if birth is not None and birth > timezone.localdate():
        raise PeopleRefused(f"{birth} is still to come: the date of birth cannot be right.")
    return fields


def _edit(kind: str, person: Person, by: By, fields: dict[str, Any]) -> PeopleEvent:
    enter_alone()
    person = standing(person)
    if account := fields.pop("user", person.user):
        other = Person.objects.filter(user=account).exclude(pk=person.pk).first()
        if other is not None:
            raise PeopleRefused(f"{account} is the account of {other.name}.")
    fields["user_id"] = account.pk if account else None
    deed = Deed(kind, by=by, person=person)
    deed.change(person, **fields)
    # Photos from before the birth, named by whomever: the rules judge them.
    deed.faces.update(before_birth(list(person.faces.values_list("pk", flat=True)), person))
    return deed.finish()


@transaction.atomic
def set_cover(*, person: Person, face_id: int, by: By) -> PeopleEvent:
    """Show this face for the person. Raises AlreadyAnswered when it is not theirs any more."""
    enter_gate()
    asked = ask([face_id])
    person = standing(person)
    asked.refuse(pk for pk, face in asked.faces.items() if face.person_id != person.pk)
    deed = Deed(Kind.SET_COVER, by=by, person=person)
    deed.change(person, cover_id=face_id)
    return deed.finish()


@transaction.atomic
def pin(*, face_id: int, by: By) -> PeopleEvent:
    """Recognise the person by this face, whatever matching thinks of it. Raises AlreadyAnswered."""
    return _pin(Kind.PIN, face_id, by, pinned=True)


@transaction.atomic
def unpin(*, face_id: int, by: By) -> PeopleEvent:
    """Leave it to matching whether this face is a good one. Raises AlreadyAnswered."""
    return _pin(Kind.UNPIN, face_id, by, pinned=False)


def _pin(kind: str, face_id: int, by: By, *, pinned: bool) -> PeopleEvent:
    enter_gate()
    asked = ask([face_id])
    asked.refuse(pk for pk, face in asked.faces.items() if face.person_id is None)
    face = asked.faces[face_id]
    prototype = Prototype.objects.filter(face=face).first()
    before = prototype.pinned if prototype else None
    if pinned == bool(before):
        raise AlreadyAnswered([face_id])
    deed = Deed(kind, by=by, person=face.person, pin={"face": face_id, "before": before, "after": pinned})
    prototype = prototype or Prototype(face=face, person=face.person, quality=face.quality)
    prototype.pinned = pinned
    if prototype.year is None and face.photo.taken_local:
        prototype.year = face.photo.taken_local.year
    prototype.save()
    return deed.finish()


@transaction.atomic
def mark_not_same(*, one: Person, two: Person, by: By) -> PeopleEvent:
    """These two look alike and are two: never proposed for merging, never merged.

    Raises PeopleRefused when they are one, or known not to be.
    """
    enter_gate()
    one, two = sorted((standing(one), standing(two)), key=lambda person: person.pk)
    if one == two:
        raise PeopleRefused(f"{one.name} is one person. To make two of one, split.")
    deed = Deed(Kind.NOT_SAME, by=by, person=one)
    pair, made = NotSame.objects.get_or_create(one=one, two=two, defaults={"event": deed.event})
    if not made:
        raise PeopleRefused(f"It is known that {pair}.")
    deed.data["not_same"] = [one.pk, two.pk]
    return deed.finish()


@transaction.atomic
def mark_maybe_same(*, one: Person, two: Person, by: By) -> PeopleEvent:
    """Take back that these two are not the same. Raises PeopleRefused when nobody said so."""
    enter_gate()
    one, two = standing(one), standing(two)
    mine, theirs = _all_of(one), _all_of(two)
    pairs = NotSame.objects.filter(
        Q(one__in=mine, two__in=theirs) | Q(one__in=theirs, two__in=mine)
    ).select_for_update()
    found = list(pairs.order_by("pk").values_list("one", "two", "event"))
    if not found:
        raise PeopleRefused(f"Nobody said that {one.name} and {two.name} are not the same.")
    deed = Deed(Kind.MAYBE_SAME, by=by, person=one, maybe_same=found)
    pairs.delete()
    return deed.finish()


def _all_of(person: Person) -> list[int]:
    """The person and everybody merged into it."""
    return [person.pk, *Person.objects.filter(merged_into=person).values_list("pk", flat=True)]
