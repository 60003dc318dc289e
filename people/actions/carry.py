"""Enter what people said elsewhere: an export of another library, or another program's database.

What was said here stands, and so do the hard rules: what would contradict them is left out and counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from library.models import Photo
from people.actions.deed import ANSWERS, Deed, Source, Verdict
from people.actions.draw import UNSEEN
from people.actions.persons import clean_name
from people.boxes import OTHER_ENGINE_OVERLAP, checked_box, shared
from people.locks import enter_alone, lock_faces_in
from people.models import Face, FaceLabel, NotSame, PeopleEvent, Person, Prototype
from people.refusals import BadBox, BadName
from people.rules import STRENGTH, rejected_pairs, taken_dates
from people.transfer import Carried, CarriedFace, CarriedLabel, CarriedPerson

PART: Final = 500


@dataclass(slots=True)
class Entered:
    """What came of it: numbers, and why the rest was left out."""

    people: int = 0
    people_made: int = 0
    faces: int = 0
    boxes_drawn: int = 0
    labels: int = 0
    unknown_photos: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "people": self.people,
            "people_made": self.people_made,
            "faces": self.faces,
            "boxes_drawn": self.boxes_drawn,
            "labels": self.labels,
            "unknown_photos": self.unknown_photos,
            "left_out": dict(sorted(self.left_out.items())),
        }


def carry_in(
    *, carried: Carried, source: str, dry_run: bool = False, on_progress: Callable[[int], object] = bool
) -> Entered:
    """Enter it in one transaction, or with ``dry_run`` only see what would come of it.

    ``source`` names it in the event; ``on_progress`` is told the number of faces looked at. A face that a
    person named and that no engine has found here is drawn.
    """
    with transaction.atomic():
        photos = sorted({face.photo_id for face in carried.faces})
        # Photos before the gate (see people.locks): drawn faces refer to them.
        list(Photo.objects.select_for_update(no_key=True).filter(pk__in=photos).order_by("pk").values("pk"))
        enter_alone()
        entered = Entered(unknown_photos=carried.unknown_photos)
        people = _people(carried.people, entered)
        _not_same(carried, people)
        by_photo: dict[int, list[CarriedFace]] = defaultdict(list)
        for face in carried.faces:
            by_photo[face.photo_id].append(face)
        for start in range(0, len(photos), PART):
            part = {pk: by_photo[pk] for pk in photos[start : start + PART]}
            _Part(part, people, entered).enter(source)
            on_progress(entered.faces)
        transaction.set_rollback(dry_run)
    return entered


def _people(carried: Sequence[CarriedPerson], entered: Entered) -> dict[str, Person]:
    """By their key in the source. Known is who has the name and no other birth date."""
    known: dict[str, list[Person]] = defaultdict(list)
    for person in Person.objects.active().order_by("pk"):
        known[person.name.casefold()].append(person)
    found: dict[str, Person] = {}
    for one in carried:
        try:
            name = clean_name(one.name)
        except BadName as error:
            entered.left_out[f"people without a name: {error}"] += 1
            continue
        same = [
            person
            for person in known[name.casefold()]
            if one.birth_date is None or person.birth_date in (None, one.birth_date)
        ]
        same.sort(key=lambda person: person.birth_date != one.birth_date)
        if not same:
            person = Person.objects.create(
                name=name, birth_date=one.birth_date, notes=one.notes, hidden=one.hidden
            )
            known[name.casefold()].append(person)
            same = [person]
            entered.people_made += 1
        found[one.key] = same[0]
        entered.people += 1
        _aliases(one, same[0], known)
    return found


def _aliases(one: CarriedPerson, person: Person, known: Mapping[str, list[Person]]) -> None:
    names = {merged.name.casefold() for merged in person.merged.all()}
    for alias in one.aliases:
        if alias.casefold() not in names and not known[alias.casefold()]:
            Person.objects.create(name=alias[:200], merged_into=person)


def _not_same(carried: Carried, people: Mapping[str, Person]) -> None:
    for pair in carried.not_same:
        keys = sorted({people[key].pk for key in pair if key in people})
        if len(keys) == 2:
            NotSame.objects.get_or_create(one_id=keys[0], two_id=keys[1])


class _Part:
    """Some photos with what was said about their faces, and what is known of them here."""

    def __init__(self, part: Mapping[int, list[CarriedFace]], people: Mapping[str, Person], entered: Entered):
        self._part, self._people, self._entered = part, people, entered
        known: dict[int, list[Face]] = defaultdict(list)
        for face in lock_faces_in(list(part)):
            known[face.photo_id].append(face)
        self._pairs: list[tuple[CarriedFace, Face]] = []
        for photo_id, carried in part.items():
            self._pairs += self._place(carried, known[photo_id])
        faces = [face.pk for _, face in self._pairs]
        self._rejected = rejected_pairs(faces)
        self._taken = taken_dates(faces)
        self._present = {
            (face.photo_id, face.person_id): (face.pk, STRENGTH[Source(face.person_source)])
            for faces_here in known.values()
            for face in faces_here
            if face.person_id
        }
        names = {label.by for carried, _ in self._pairs for label in carried.labels if label.by}
        users = get_user_model().objects.filter(username__in=names)
        self._users = {user.get_username(): user.pk for user in users}

    def enter(self, source: str) -> None:
        """Write what is new."""
        labels = [label for carried, face in self._pairs for label in self._new(carried, face)]
        if labels:
            deed = Deed(PeopleEvent.Kind.IMPORT, by=None, source=source, faces=len(labels))
            answers = [label.face_id for label in labels if label.verdict in ANSWERS]
            deed.revoke_answers(answers)
            deed.write(labels)
            deed.finish()
        self._entered.labels += len(labels)
        self._roles()

    def _place(self, carried: Sequence[CarriedFace], known: Sequence[Face]) -> list[tuple[CarriedFace, Face]]:
        """Each carried face with the face here at its place, the best fit first; the others are drawn."""
        fits = [
            (shared(face, one.box), -number, -face.pk, one, face)
            for number, one in enumerate(carried)
            for face in known
            if face.status != Face.Status.DELETED and shared(face, one.box) > OTHER_ENGINE_OVERLAP
        ]
        found: dict[int, tuple[CarriedFace, Face]] = {}
        taken: set[int] = set()
        for _, number, _, one, face in sorted(fits, key=lambda fit: fit[:3], reverse=True):
            if -number not in found and face.pk not in taken:
                found[-number] = (one, face)
                taken.add(face.pk)
        for number, one in enumerate(carried):
            self._entered.faces += 1
            if number not in found and (drawn := self._draw(one)):
                found[number] = (one, drawn)
        return [found[number] for number in sorted(found)]

    def _draw(self, one: CarriedFace) -> Face | None:
        named = (Verdict.CONFIRMED.value, Source.HUMAN_CONFIRMED.value)
        if not any((label.verdict, label.source) == named for label in one.labels):
            self._entered.left_out["no face was found at the place"] += len(one.labels)
            return None
        try:
            box = checked_box(one.box)
        except BadBox as error:
            self._entered.left_out[str(error)] += len(one.labels)
            return None
        self._entered.boxes_drawn += 1
        sides = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        return Face.objects.create(photo_id=one.photo_id, drawn=True, confidence=1.0, **UNSEEN, **sides)

    def _new(self, carried: CarriedFace, face: Face) -> Iterable[FaceLabel]:
        for label in carried.labels:
            person = self._people.get(label.person or "")
            reason = self._against(label, face, person)
            if reason:
                self._entered.left_out[reason] += 1
                continue
            yield FaceLabel(
                face=face,
                person=person,
                verdict=label.verdict,
                source=label.source,
                confidence=label.confidence,
                engine=label.engine,
                at=label.at or timezone.now(),
                by_id=self._users.get(label.by),
            )

    def _against(self, label: CarriedLabel, face: Face, person: Person | None) -> str:
        """Why a label is left out; empty when it is not. What is accepted is noted."""
        if (label.person is None) != (label.verdict not in (Verdict.CONFIRMED, Verdict.REJECTED)):
            return "labels that make no sense"
        if label.person is not None and person is None:
            return "labels of people who are not in the file"
        if label.verdict == Verdict.REJECTED and person is not None:
            return self._against_rejection(face, person)
        said = face.status != Face.Status.FACE or face.person_source == Source.HUMAN_CONFIRMED
        if said or (face.person_source == Source.IMPORTED and label.source == Source.IMPORTED):
            same = (
                (face.person_id, face.status) == (person.pk, "face")
                if person
                else face.status == label.verdict
            )
            return "known here" if same else "answered otherwise here"
        if person is not None:
            strength = STRENGTH[Source(label.source)]
            if reason := self._against_name(face, person, strength):
                return reason
            self._present[face.photo_id, person.pk] = (face.pk, strength)
            face.person_id, face.person_source = person.pk, label.source
        else:
            face.person_id, face.person_source, face.status = None, "", label.verdict
        return ""

    def _against_rejection(self, face: Face, person: Person) -> str:
        if (face.pk, person.pk) in self._rejected:
            return "known here"
        if face.person_id == person.pk and face.person_source == Source.HUMAN_CONFIRMED:
            return "answered otherwise here"
        self._rejected.add((face.pk, person.pk))
        return ""

    def _against_name(self, face: Face, person: Person, strength: int) -> str:
        if (face.pk, person.pk) in self._rejected:
            return "answered otherwise here"
        holder, of_holder = self._present.get((face.photo_id, person.pk), (face.pk, 0))
        # What was only guessed, or told by a weaker source, gives way.
        if holder != face.pk and of_holder >= max(strength, STRENGTH[Source.IMPORTED]):
            return "the person is another face of the photo"
        taken: date | None = self._taken.get(face.pk)
        if taken and person.birth_date and taken < person.birth_date:
            return "the photo is from before the birth"
        return ""

    def _roles(self) -> None:
        """Pinned faces and covers, where the face is the person's now and there is none."""
        wanted = [pair for pair in self._pairs if pair[0].pinned or pair[0].cover_of]
        now = {face.pk: face for face in Face.objects.filter(pk__in=[face.pk for _, face in wanted])}
        for carried, face in wanted:
            person_id = now[face.pk].person_id
            if person_id is None:
                continue
            if carried.pinned:
                Prototype.objects.get_or_create(
                    face_id=face.pk,
                    defaults={"person_id": person_id, "quality": face.quality, "pinned": True},
                )
            cover_of = self._people.get(carried.cover_of or "")
            if cover_of is not None and cover_of.pk == person_id:
                Person.objects.filter(pk=person_id, cover__isnull=True).update(cover=face.pk)
