"""The hard rules, held for whoever writes.

A person is in a photo once. Nobody is in a photo taken before their birth. A rejected pair never returns (see
``people.derivation``). Two people who are not the same are never merged (see ``people.merging``).

What a model guessed or another program wrote gives way to what a person says. Two things that people said
never give way to each other: the later one is refused, with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date
from itertools import pairwise
from typing import Final

from django.db import connection
from django.db.models import Q
from django.db.models.functions import TruncDate

from people.models import Face, FaceLabel, NotSame, PeopleEvent, Person
from people.refusals import BeforeBirth, TwiceInPhoto

Source = Face.Source
#: Who outweighs whom.
STRENGTH: Final = {Source.MODEL_GUESS: 0, Source.IMPORTED: 1, Source.HUMAN_CONFIRMED: 2}
#: The day a photo was taken: the clock on the wall is stored as if it were UTC.
TAKEN: Final = TruncDate("photo__taken_local", tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NamedFace:
    """A face with a name, and what the rules ask about it."""

    pk: int
    photo_id: int
    person_id: int
    source: str
    taken: date | None
    birth: date | None

    @property
    def said_by_human(self) -> bool:
        """Whether a person said it."""
        return self.source == Source.HUMAN_CONFIRMED

    @property
    def too_early(self) -> bool:
        """Whether the photo is older than the person."""
        return self.taken is not None and self.birth is not None and self.taken < self.birth


def named_faces(which: Q) -> list[NamedFace]:
    """The named faces of a selection, ordered by key."""
    rows = (
        Face.objects.filter(which, person__isnull=False)
        .order_by("pk")
        .values_list("pk", "photo_id", "person_id", "person_source", TAKEN, "person__birth_date")
    )
    return [NamedFace(*row) for row in rows]


def taken_dates(face_ids: Collection[int]) -> dict[int, date]:
    """When the photos of these faces were taken, where that is known."""
    dated = Face.objects.filter(pk__in=face_ids, photo__taken_local__isnull=False)
    return dict(dated.order_by("pk").values_list("pk", TAKEN))


def before_birth(face_ids: Collection[int], person: Person) -> dict[int, BeforeBirth]:
    """Which of these faces are in photos from before this person's birth."""
    birth = person.birth_date
    if birth is None:
        return {}
    dates = taken_dates(face_ids)
    return {pk: BeforeBirth(person, pk, taken) for pk, taken in dates.items() if taken < birth}


def giving_way(face_ids: Collection[int]) -> list[int]:
    """The faces that must lose their name now that these faces are whose they are.

    Raises TwiceInPhoto or BeforeBirth when people said both sides of it. ``face_ids`` are the faces that
    were just written: in doubt they give way to those that were there before.
    """
    photos = Face.objects.filter(pk__in=face_ids).values("photo")
    written = set(face_ids)
    losing: list[int] = []
    places: dict[tuple[int, int], list[NamedFace]] = defaultdict(list)
    for face in named_faces(Q(photo__in=photos)):
        if face.pk in written and face.too_early:
            if face.said_by_human:
                raise BeforeBirth(_person(face), face.pk, face.taken or date.min)
            losing.append(face.pk)
        else:
            places[face.photo_id, face.person_id].append(face)
    for same in places.values():
        losing += _weaker(same, written)
    return losing


def _weaker(same: Iterable[NamedFace], written: set[int]) -> list[int]:
    """All but the one of these faces of one person in one photo that keeps the name."""
    ranked = sorted(same, key=lambda face: (-STRENGTH[Source(face.source)], face.pk in written, face.pk))
    for stays, goes in pairwise(ranked):
        if goes.said_by_human:
            raise TwiceInPhoto(_person(goes), goes.pk, stays.pk)
    return [face.pk for face in ranked[1:]]


def _person(face: NamedFace) -> Person:
    return Person.objects.get(pk=face.person_id)


def rejected_pairs(face_ids: Collection[int]) -> set[tuple[int, int]]:
    """Faces with people they are not, after merges: never to be proposed, whatever the faces look like."""
    return set(judged(face_ids).rejected)


_JUDGED: Final = f"""
SELECT label.face_id, coalesce(person.merged_into_id, person.id),
    label.verdict = '{FaceLabel.Verdict.REJECTED}'
FROM people_facelabel label
JOIN people_person person ON person.id = label.person_id
LEFT JOIN people_peopleevent event ON event.id = label.revoked_by_id
WHERE label.face_id = ANY(%s) AND (
    label.verdict = '{FaceLabel.Verdict.REJECTED}' AND label.revoked_by_id IS NULL
    OR label.verdict = '{FaceLabel.Verdict.CONFIRMED}' AND event.kind = '{PeopleEvent.Kind.UNASSIGN}'
)
"""  # noqa: S608 - constants of the models


@dataclass(frozen=True, slots=True)
class Judged:
    """Faces with people, after merges: whom they are not, and whose name a person took off.

    The former is never proposed; the latter may be asked about, but the program gives the name no more.
    """

    rejected: frozenset[tuple[int, int]]
    taken_off: frozenset[tuple[int, int]]


def judged(face_ids: Collection[int]) -> Judged:
    """What people said against names of these faces."""
    with connection.cursor() as cursor:
        cursor.execute(_JUDGED, [list(face_ids)])
        rows = cursor.fetchall()
    return Judged(
        frozenset((face, person) for face, person, rejected in rows if rejected),
        frozenset((face, person) for face, person, rejected in rows if not rejected),
    )


def not_same_pairs(person_ids: Collection[int] | None = None) -> set[tuple[int, int]]:
    """Pairs of people who are not the same, smaller key first, after merges; of all, or with one of these."""
    found = NotSame.objects.select_related("one", "two")
    if person_ids is not None:
        ours = list(person_ids)
        found = found.filter(
            Q(one__in=ours) | Q(two__in=ours) | Q(one__merged_into__in=ours) | Q(two__merged_into__in=ours)
        )
    pairs = ((pair.one.final_id, pair.two.final_id) for pair in found)
    return {(min(pair), max(pair)) for pair in pairs}
