"""What the photos of a person add up to, for a user who may see some of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Max, Min
from django.db.models.functions import ExtractYear

from library.access import photos_for
from people.access import faces_for, people_for
from people.actions.prototypes import in_eras, known_faces
from people.eras import Era, eras_between
from people.models import Face, Person, Prototype
from people.prototypes import Coverage, coverage
from people.vectors import load_faces

if TYPE_CHECKING:
    from people.access import User

#: How many people somebody is most often seen with.
COMPANIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Companion:
    """Somebody else in the same photos, and in how many."""

    person: Person
    photos: int


@dataclass(frozen=True, slots=True)
class YearOf:
    """A year (None: without a date), its photos of the person, and the best face in them."""

    year: int | None
    photos: int
    face_id: int


@dataclass(frozen=True, slots=True)
class PersonStatistics:
    """Photos in all, how many of them people confirmed, the first and the last by the wall clock."""

    photos: int
    confirmed: int
    first: datetime | None
    last: datetime | None
    companions: tuple[Companion, ...]
    years: tuple[YearOf, ...]


def statistics_of(person: Person, user: User) -> PersonStatistics:
    """Counted over the photos this user may see."""
    faces = faces_for(user).filter(person=person)
    counted = faces.aggregate(
        photos=Count("photo", distinct=True),
        first=Min("photo__taken_local"),
        last=Max("photo__taken_local"),
    )
    return PersonStatistics(
        photos=counted["photos"],
        confirmed=faces.exclude(person_source=Face.Source.MODEL_GUESS).count(),
        first=counted["first"],
        last=counted["last"],
        companions=_companions(person, user),
        years=_years(person, user),
    )


def coverage_of(person: Person, user: User) -> list[Coverage]:
    """By era, or by stretch of years without a birth date: which lack a good face.

    Of the faces in the space that answers. Counts what this user may see.
    """
    visible = set(faces_for(user).filter(person=person).values_list("pk", flat=True))
    known = [one for one in known_faces(person) if one.pk in visible]
    space = max(
        {one.space_id for one in known}, default=None, key=lambda pk: sum(k.space_id == pk for k in known)
    )
    faces = [one for one in known if one.space_id == space]
    loaded = load_faces([one.pk for one in faces], faces[0].dimensions if faces else 1)
    exemplars = in_eras(person, faces, loaded)
    chosen = set(Prototype.objects.filter(person=person, face__in=visible).values_list("face_id", flat=True))
    return coverage(exemplars, chosen, [era.value for era in _lived(person, user)])


def _lived(person: Person, user: User) -> list[Era]:
    """The eras between birth and the last photo of anybody that this user may see."""
    last = photos_for(user).aggregate(last=Max("taken_local"))["last"]
    if person.birth_date is None or last is None:
        return []
    return eras_between(person.birth_date, person.birth_date, max(last.date(), person.birth_date))


def _companions(person: Person, user: User) -> tuple[Companion, ...]:
    photos = faces_for(user).filter(person=person).values("photo")
    others = (
        faces_for(user)
        .filter(photo__in=photos, person__in=people_for(user))
        .exclude(person=person)
        .order_by()
        .values("person")
        .annotate(photos=Count("photo", distinct=True))
        .order_by("-photos", "person")[:COMPANIONS]
    )
    counted = {row["person"]: row["photos"] for row in others}
    people = Person.objects.in_bulk(counted)
    return tuple(Companion(people[pk], photos) for pk, photos in counted.items())


def _years(person: Person, user: User) -> tuple[YearOf, ...]:
    """By year, the latest first; photos without a date at the end."""
    faces = faces_for(user).filter(person=person).annotate(year=ExtractYear("photo__taken_local"))
    best: dict[int | None, int] = {}
    for pk, year in faces.order_by("-quality", "pk").values_list("pk", "year"):
        best.setdefault(year, pk)
    counts = faces.order_by().values("year").annotate(photos=Count("photo", distinct=True))
    found = [YearOf(row["year"], row["photos"], best[row["year"]]) for row in counts]
    return tuple(sorted(found, key=lambda one: (one.year is None, -(one.year or 0))))
