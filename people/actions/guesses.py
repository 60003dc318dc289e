"""What matching makes out by itself. It asks nobody, so it never touches what somebody said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Q

from people.actions.deed import Deed, Source, Verdict
from people.locks import enter_gate, lock_photos_of
from people.models import Face, FaceLabel, PeopleEvent, Person
from people.rules import judged, named_faces, taken_dates

#: Keep transactions short: people who answer meanwhile wait for one.
MOST_AT_ONCE: Final = 1000
Kind = PeopleEvent.Kind
Guess = tuple[int, int, float]


@transaction.atomic
def record_guesses(*, assignments: Sequence[Guess], engine: str) -> PeopleEvent | None:
    """Name faces as the engine sees it: (face, person, confidence 0..1) each, at most a thousand at once.

    Left out without a word: faces that are gone, that people or other programs named, or that are no faces;
    rejected pairs and names that people took off; photos from before the birth; a second face of somebody in
    a photo (of two guesses the more confident stays). An earlier guess about a face is replaced. Returns the
    event, with the number of faces in ``data["faces"]``; None when nothing was left to say.
    """
    if len(assignments) > MOST_AT_ONCE:
        raise ValueError(f"Record at most {MOST_AT_ONCE} guesses at once, not {len(assignments)}.")
    enter_gate()
    best = {face: (face, person, sure) for face, person, sure in sorted(assignments, key=lambda one: one[2])}
    faces = {face.pk: face for face in lock_photos_of(best)}
    people = _people({person for _, person, _ in best.values()})
    return _record(_allowed(best.values(), faces, people), engine)


def record_found(
    *, assignments: Sequence[Guess], faces: Collection[Face], leaving: Collection[int], engine: str
) -> PeopleEvent | None:
    """As ``record_guesses`` for what ``people.suggestions`` has just found in these faces, which are locked.

    ``faces`` are all of their photos, as they were then; ``leaving`` those whose guess was withdrawn since.
    What was looked at there is not asked again; faces of other engines may hold a name in the same photo.
    """
    moving = {*leaving, *(face for face, _, _ in assignments)}
    photo_of = {face.pk: face.photo_id for face in faces}
    holders = {(face.photo_id, face.person_id) for face in faces if face.pk not in moving}
    allowed = [
        (face, person, sure) for face, person, sure in assignments if (photo_of[face], person) not in holders
    ]
    return _record(allowed, engine, rules_hold=True)


def _record(guesses: Sequence[Guess], engine: str, *, rules_hold: bool = False) -> PeopleEvent | None:
    if not guesses:
        return None
    deed = Deed(Kind.GUESS, by=None, faces=len(guesses), engine=engine)
    deed.revoke_answers([face for face, _, _ in guesses])
    deed.write(
        FaceLabel(
            face_id=face,
            person_id=person,
            verdict=Verdict.CONFIRMED,
            source=Source.MODEL_GUESS,
            confidence=sure,
            engine=engine,
        )
        for face, person, sure in guesses
    )
    return deed.finish(rules_hold=rules_hold)


@transaction.atomic
def withdraw_guesses(*, face_ids: Collection[int]) -> PeopleEvent | None:
    """Take guesses about these faces back: they are unknown again. None when there are none."""
    enter_gate()
    lock_photos_of(face_ids)
    guesses = FaceLabel.objects.in_force().filter(
        face__in=face_ids, source=Source.MODEL_GUESS, verdict=Verdict.CONFIRMED
    )
    if not guesses.exists():
        return None
    deed = Deed(Kind.WITHDRAW, by=None)
    deed.data["faces"] = deed.revoke(guesses)
    return deed.finish()


def _people(person_ids: Collection[int]) -> dict[int, Person]:
    """By the key they were asked for: who they are now."""
    found = Person.objects.filter(pk__in=person_ids).select_related("merged_into")
    now = {person.pk: person.merged_into or person for person in found}
    return {pk: person for pk, person in now.items() if not person.removed}


def _allowed(
    guesses: Iterable[Guess], faces: Mapping[int, Face], people: Mapping[int, Person]
) -> list[Guess]:
    """The guesses that break no rule, with the people they are now, the most confident first."""
    open_guesses = [
        (face, people[person].pk, sure)
        for face, person, sure in guesses
        if person in people and face in faces and _is_open(faces[face], people[person].pk)
    ]
    ids = [face for face, _, _ in open_guesses]
    said = judged(ids)
    never = said.rejected | said.taken_off
    early = _early(open_guesses, people)
    holders = _holders(ids, faces)
    allowed: list[Guess] = []
    for face, person, sure in sorted(open_guesses, key=lambda one: (-one[2], one[0])):
        if (face, person) in never or (face, person) in early:
            continue
        place = (faces[face].photo_id, person)
        if place not in holders:
            holders.add(place)
            allowed.append((face, person, sure))
    return allowed


def _is_open(face: Face, person_id: int) -> bool:
    unknown = face.status == Face.Status.FACE and face.person_source in ("", Source.MODEL_GUESS)
    return unknown and face.person_id != person_id


def _early(guesses: Sequence[Guess], people: Mapping[int, Person]) -> set[tuple[int, int]]:
    births = {person.pk: person.birth_date for person in people.values()}
    taken = taken_dates([face for face, _, _ in guesses])
    return {
        (face, person)
        for face, person, _ in guesses
        if (birth := births[person]) and face in taken and taken[face] < birth
    }


def _holders(face_ids: Collection[int], faces: Mapping[int, Face]) -> set[tuple[int, int]]:
    """Photos with the people who are in them already."""
    photos = {faces[pk].photo_id for pk in face_ids}
    return {(face.photo_id, face.person_id) for face in named_faces(Q(photo__in=photos))}
