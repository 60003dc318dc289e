"""From likeness to a decision: who a face may be, in which order, why, and whether to ask.

The steps for a set of photos: the nearest people of every open face; the hard rules strike out who it cannot
be; where looks alone do not decide, what surrounds the photo is looked up and re-ranks; then each photo is
solved as a whole, since nobody is two of its faces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from django.conf import settings
from django.db import connection

from library.models import EmbeddingSpace
from people.assignment import best_assignment
from people.calibration import ASKING
from people.circumstances import look_around
from people.matching import Near, nearest_people
from people.models import Face, Suggestion
from people.priors import Reason, total
from people.rules import Judged, judged
from people.scores import Scale, scale_of

#: Of each face so many people are suggested at most.
MOST_SUGGESTED = 3
#: A clear likeness is still asked about when quality or circumstances speak against it this much.
STILL_SURE = 0.98


@dataclass(frozen=True, slots=True)
class OpenFace:
    """A face that nobody has answered. ``guess`` is whom the program took it for."""

    pk: int
    photo_id: int
    quality: float
    guess: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody a face may be. ``margin`` is how far the next possible person is behind, as a cosine.

    ``taken_off``: a person took this name off this face, so it is only asked about.
    """

    face: OpenFace
    person_id: int
    similarity: float
    runner_up: float
    probability: float
    taken_off: bool
    reasons: tuple[Reason, ...] = ()

    @property
    def margin(self) -> float:
        """Negative for whom somebody else is ahead of."""
        return self.similarity - self.runner_up

    def as_row(self, rank: int) -> Suggestion:
        """To be stored."""
        return Suggestion(
            face_id=self.face.pk,
            person_id=self.person_id,
            similarity=round(self.similarity, 4),
            margin=round(self.margin, 4),
            prior=round(total(self.reasons), 3),
            probability=round(self.probability, 4),
            reasons=[reason.as_data() for reason in self.reasons],
            rank=rank,
        )


@dataclass(slots=True)
class Decisions:
    """What is to be done: faces to be named, faces to be asked about, and those nobody is like."""

    named: list[Candidate] = field(default_factory=list)
    asked: dict[int, list[Candidate]] = field(default_factory=dict)
    unknown: list[OpenFace] = field(default_factory=list)


def decide(faces: Collection[Face], space: EmbeddingSpace) -> Decisions:
    """Decide about the open ones among all faces of some photos that are in this space."""
    unanswered = sorted((face for face in faces if is_open(face) and face.space_id == space.pk), key=_key)
    if not unanswered:
        return Decisions()
    candidates = [OpenFace(face.pk, face.photo_id, face.quality, face.person_id) for face in unanswered]
    near = nearest_people([face.pk for face in candidates], space)
    taken = _taken(faces)
    scale = scale_of(space)
    said = judged([face.pk for face in candidates])
    found = _candidates(candidates, _possible(candidates, near, taken, said), said, scale)
    found = _with_circumstances(found, taken, scale)
    decisions = Decisions()
    by_photo: dict[int, list[OpenFace]] = defaultdict(list)
    for face in candidates:
        by_photo[face.photo_id].append(face)
    for group in by_photo.values():
        _solve(group, found, scale, decisions)
    return decisions


def is_open(face: Face) -> bool:
    """Whether neither a person nor another program said anything about whose face it is."""
    return face.status == Face.Status.FACE and face.person_source in ("", Face.Source.MODEL_GUESS)


def _key(face: Face) -> int:
    return face.pk


def _taken(faces: Collection[Face]) -> dict[int, set[int]]:
    """Who is in each photo for certain: what people and other programs said."""
    taken: dict[int, set[int]] = defaultdict(set)
    for face in faces:
        if face.person_id is not None and not is_open(face):
            taken[face.photo_id].add(face.person_id)
    return taken


def _possible(
    faces: Sequence[OpenFace], near: Mapping[int, list[Near]], taken: Mapping[int, set[int]], said: Judged
) -> dict[int, list[Near]]:
    """The nearest people of each face without those whom the hard rules exclude."""
    if not near:
        return {face.pk: [] for face in faces}
    unborn = _unborn(faces, {one.person_id for people in near.values() for one in people})
    return {
        face.pk: [
            one
            for one in near.get(face.pk, ())
            if (face.pk, one.person_id) not in said.rejected
            and (face.photo_id, one.person_id) not in unborn
            and one.person_id not in taken.get(face.photo_id, ())
        ]
        for face in faces
    }


_UNBORN: Final = """
SELECT DISTINCT face.photo_id, person.id
FROM people_person person, people_face face JOIN library_photo photo ON photo.id = face.photo_id
WHERE person.id = ANY(%s) AND person.birth_date IS NOT NULL AND face.id = ANY(%s)
    AND (photo.taken_local AT TIME ZONE 'UTC')::date < person.birth_date
"""


def _unborn(faces: Sequence[OpenFace], person_ids: Collection[int]) -> set[tuple[int, int]]:
    """Photos with the people who were not born when they were taken."""
    with connection.cursor() as cursor:
        cursor.execute(_UNBORN, [list(person_ids), [face.pk for face in faces]])
        return set(cursor.fetchall())


def _candidates(
    faces: Sequence[OpenFace], possible: Mapping[int, list[Near]], said: Judged, scale: Scale
) -> dict[int, list[Candidate]]:
    """Everybody who is alike enough to be asked about, by looks alone."""
    found = [
        Candidate(
            face,
            one.person_id,
            one.similarity,
            _best_other(possible[face.pk], one.person_id),
            probability=0.0,
            taken_off=(face.pk, one.person_id) in said.taken_off,
        )
        for face in faces
        for one in possible[face.pk]
        if one.similarity >= scale.now.low
    ]
    return _by_face(_scored(found, scale))


def _best_other(people: Iterable[Near], person_id: int) -> float:
    return max((one.similarity for one in people if one.person_id != person_id), default=-1.0)


def _scored(found: Sequence[Candidate], scale: Scale) -> list[Candidate]:
    chances = scale.probabilities(
        [one.similarity for one in found],
        [one.runner_up for one in found],
        [one.face.quality for one in found],
        [total(one.reasons) for one in found],
    )
    return [replace(one, probability=chance) for one, chance in zip(found, chances, strict=True)]


def _by_face(found: Iterable[Candidate]) -> dict[int, list[Candidate]]:
    by_face: dict[int, list[Candidate]] = defaultdict(list)
    for one in found:
        by_face[one.face.pk].append(one)
    return {
        pk: sorted(mine, key=lambda one: (-one.probability, -one.similarity, one.person_id))
        for pk, mine in by_face.items()
    }


def _with_circumstances(
    found: dict[int, list[Candidate]], taken: Mapping[int, set[int]], scale: Scale
) -> dict[int, list[Candidate]]:
    """Look around where the looks leave a question; clear cases need nothing."""
    unclear = [
        one for mine in found.values() if not is_clear(mine[0], scale) for one in mine[:MOST_SUGGESTED]
    ]
    photos = {one.face.photo_id for one in unclear}
    company = {photo: taken.get(photo, ()) for photo in photos}
    for mine in found.values():
        if is_clear(mine[0], scale) and mine[0].face.photo_id in photos:
            company[mine[0].face.photo_id] = {*company[mine[0].face.photo_id], mine[0].person_id}
    around = look_around(photos, {one.person_id for one in unclear}, company)
    told = [
        replace(one, reasons=tuple(around.reasons_for(one.face.photo_id, one.person_id))) for one in unclear
    ]
    return {**found, **_by_face(_scored(told, scale))}


def is_clear(one: Candidate, scale: Scale) -> bool:
    """Whether a face is named without asking, where that is wanted (PEOPLE_NAMING)."""
    return (
        settings.PEOPLE_NAMING
        and not one.taken_off
        and scale.is_clear(one.similarity, one.runner_up)
        and one.probability >= STILL_SURE
    )


def _solve(
    group: Sequence[OpenFace], found: Mapping[int, list[Candidate]], scale: Scale, decisions: Decisions
) -> None:
    """One photo: the likeliest people altogether, nobody twice."""
    mine = [found.get(face.pk, []) for face in group]
    people = sorted({one.person_id for row in mine for one in row})
    gain = np.full((len(group), max(len(people), 1)), -np.inf)
    for row, candidates in enumerate(mine):
        for one in candidates:
            # Naming somebody clearly comes before any sum of maybes.
            worth = one.probability + (10.0 if is_clear(one, scale) else 0.0)
            gain[row, people.index(one.person_id)] = worth if one.probability >= ASKING else -np.inf
    chosen = best_assignment(gain)
    certain = {people[column] for row, column in enumerate(chosen) if column >= 0 and gain[row, column] > 5}
    for row, column in enumerate(chosen):
        _settle(group[row], mine[row], people[column] if column >= 0 else None, certain, scale, decisions)


def _settle(
    face: OpenFace,
    candidates: Sequence[Candidate],
    person_id: int | None,
    certain: Collection[int],
    scale: Scale,
    decisions: Decisions,
) -> None:
    best = next((one for one in candidates if one.person_id == person_id), None)
    if best is None:
        decisions.unknown.append(face)
    elif is_clear(best, scale):
        decisions.named.append(best)
    else:
        others = [
            one
            for one in candidates
            if one is not best and one.person_id not in certain and one.probability >= ASKING
        ]
        decisions.asked[face.pk] = [best, *others][:MOST_SUGGESTED]
