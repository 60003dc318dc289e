"""Choose the faces by which people are recognised, from what people and other programs confirmed.

What the program guessed itself never becomes a prototype: one wrong guess would bring the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from people.eras import era_of, stretches
from people.locks import enter_gate
from people.models import Face, Person, Prototype
from people.prototypes import Exemplar, choose, with_eras
from people.vectors import FaceVectors, load_faces

#: Enough to choose from; of somebody with more confirmed faces the best of them.
_MOST_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Known:
    """A confirmed face: its space and dimensions, quality and the day of its photo."""

    pk: int
    space_id: int
    dimensions: int
    quality: float
    taken: date | None
    pinned: bool


@transaction.atomic
def choose_prototypes(*, person_ids: Collection[int]) -> set[int]:
    """Bring the prototypes of these people in line with their confirmed faces; pinned ones stay.

    Returns the keys of the faces that are prototypes now and were not before.
    """
    enter_gate()
    # Two settlings of one person at once would both insert the same faces.
    people = list(Person.objects.select_for_update(no_key=True).filter(pk__in=person_ids).order_by("pk"))
    wanted: dict[int, Prototype] = {}
    for person in people:
        for one in exemplars_of(person):
            wanted[one.face_id] = Prototype(
                person=person,
                face_id=one.face_id,
                age_era=one.era,
                year=one.year,
                quality=one.quality,
                pinned=one.pinned,
            )
    standing = Prototype.objects.filter(person__in=people)
    before = set(standing.values_list("face_id", flat=True))
    standing.exclude(face__in=wanted).filter(pinned=False).delete()
    Prototype.objects.bulk_create(
        wanted.values(),
        update_conflicts=True,
        unique_fields=["face"],
        update_fields=["person", "age_era", "year", "quality"],
    )
    return set(wanted) - before


def exemplars_of(person: Person) -> list[Exemplar]:
    """The faces that ought to stand for this person, of every space with its own."""
    by_space: dict[tuple[int, int], list[Known]] = defaultdict(list)
    for one in known_faces(person):
        by_space[one.space_id, one.dimensions].append(one)
    chosen = []
    for (_, dimensions), faces in sorted(by_space.items()):
        loaded = load_faces([face.pk for face in faces], dimensions)
        chosen += choose(in_eras(person, faces, loaded), loaded.vectors)
    return chosen


def known_faces(person: Person) -> list[Known]:
    """The confirmed faces of somebody that have a vector, the best first, then by key."""
    rows = (
        Face.objects.filter(person=person, space__isnull=False)
        .exclude(person_source=Face.Source.MODEL_GUESS)
        .order_by("-quality", "pk")
        .values_list(
            "pk", "space_id", "space__dimensions", "quality", "photo__taken_local", "prototype__pinned"
        )
    )
    best = [
        Known(pk, space, dimensions, quality, taken.date() if taken else None, bool(pinned))
        for pk, space, dimensions, quality, taken, pinned in rows[:_MOST_LOOKED_AT]
    ]
    return sorted(best, key=lambda one: one.pk)


def in_eras(person: Person, faces: Sequence[Known], loaded: FaceVectors) -> list[Exemplar]:
    """The faces, ordered as their vectors are, each with its era: by age, or by stretches of like looks."""
    years = [face.taken.year if face.taken else None for face in faces]
    plain = [
        Exemplar(face.pk, row, "", face.quality, year, face.pinned)
        for row, (face, year) in enumerate(zip(faces, years, strict=True))
    ]
    if person.birth_date is None:
        return with_eras(plain, stretches(years, loaded.vectors))
    birth = person.birth_date
    return with_eras(plain, [era_of(birth, face.taken).value if face.taken else "" for face in faces])
