"""Take the names other programs gave to people in photos, and give them to the faces found there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db import transaction
from django.db.models import F

from people.actions.deed import Deed, Source, Verdict
from people.boxes import shared
from people.locks import enter_gate, lock_faces_in
from people.models import Face, FaceLabel, ImportedName, PeopleEvent, Person
from people.rules import rejected_pairs, taken_dates
from vision.imaging.regions import NamedPerson
from vision.results import Box

#: Programs draw faces tighter or wider than detectors; half of the usual bar still tells neighbours apart.
MIN_OVERLAP = 0.25


@transaction.atomic
def import_names(*, named: Mapping[int, Sequence[NamedPerson]]) -> None:
    """Replace what other programs say about who is in these photos, and label the faces that are known.

    ``named`` maps photo ids to people. Whoever is not known by name yet becomes a person.
    """
    enter_gate()
    ImportedName.objects.filter(photo_id__in=named).delete()
    people = _people({person.name for found in named.values() for person in found})
    ImportedName.objects.bulk_create(
        ImportedName(
            photo_id=photo_id,
            person=people[one.name.casefold()],
            name=one.name[:200],
            source=one.source,
            x=one.box.x if one.box else None,
            y=one.box.y if one.box else None,
            width=one.box.width if one.box else None,
            height=one.box.height if one.box else None,
        )
        for photo_id, found in named.items()
        for one in found
    )
    name_faces(photo_ids=list(named))


def _people(names: Collection[str]) -> dict[str, Person]:
    """By folded name. Of several people of one name the first is meant; nobody is made twice.

    Somebody who was merged is found by the old name, too, unless the name is another's now.
    """
    wanted = {name.casefold(): name for name in sorted(names)}
    if not wanted:
        return {}
    found: dict[str, Person] = {}
    known = Person.objects.filter(removed=False).order_by(F("merged_into").asc(nulls_first=True), "pk")
    for person in known:
        if person.name.casefold() in wanted:
            found.setdefault(person.name.casefold(), person)
    missing = [Person(name=name[:200]) for key, name in wanted.items() if key not in found]
    for person in Person.objects.bulk_create(missing):
        found[person.name.casefold()] = person
    return {key: found[wanted[key][:200].casefold()] for key in wanted}


@dataclass(slots=True)
class _Scene:
    """One photo: who should be in it, which faces were found, who is in it as people and programs said."""

    names: list[ImportedName] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    present: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Known:
    """What speaks against names: pairs of face and person that must not be, and when photos were taken."""

    never: set[tuple[int, int]]
    taken: dict[int, date]


@transaction.atomic
def name_faces(*, photo_ids: Collection[int]) -> int:
    """Give imported names to the faces found at their places; say how many labels were written.

    What a person said stands: a face with a confirmed name keeps it, a name that was rejected or taken off
    does not return, and whoever is in the photo already is not given twice. Guesses give way. Nobody is named
    in a photo from before the birth.
    """
    enter_gate()
    scenes = _scenes(photo_ids)
    known = _known(scenes)
    labels: list[FaceLabel] = []
    changed: list[ImportedName] = []
    for scene in scenes.values():
        for name, face, share in _matches(scene):
            if name.face_id != face.pk:
                name.face = face
                changed.append(name)
            if _may_label(scene, known, name, face):
                scene.present.add(name.person.final_id)
                labels.append(_label(name, face, share))
    ImportedName.objects.bulk_update(changed, ["face"])
    if labels:
        deed = Deed(PeopleEvent.Kind.IMPORT, by=None, faces=len(labels))
        deed.revoke_answers([label.face_id for label in labels])
        deed.write(labels)
        deed.finish()
    return len(labels)


def _scenes(photo_ids: Collection[int]) -> dict[int, _Scene]:
    scenes: dict[int, _Scene] = defaultdict(_Scene)
    named = ImportedName.objects.filter(photo_id__in=photo_ids, person__removed=False)
    for name in named.select_related("person__merged_into").order_by("pk"):
        scenes[name.photo_id].names.append(name)
    for face in lock_faces_in(list(scenes)):
        if face.status == Face.Status.FACE:
            scenes[face.photo_id].faces.append(face)
        if face.person_id is not None and face.person_source != Source.MODEL_GUESS:
            scenes[face.photo_id].present.add(face.person_id)
    return scenes


def _known(scenes: Mapping[int, _Scene]) -> _Known:
    faces = [face.pk for scene in scenes.values() for face in scene.faces]
    # A name of this kind that a person took off, or overruled, is not written a second time.
    overruled = FaceLabel.objects.filter(
        face__in=faces, source=Source.IMPORTED, revoked_by__isnull=False
    ).exclude(revoked_by__kind=PeopleEvent.Kind.IMPORT)
    return _Known(rejected_pairs(faces) | overruled.pairs(), taken_dates(faces))


def _matches(scene: _Scene) -> list[tuple[ImportedName, Face, float]]:
    """Names with the faces at their places, the best fit first; then a lone name with a lone face."""
    pairs = [
        (share, -name.pk, -face.pk, name, face)
        for name in scene.names
        for face in scene.faces
        if (share := _share(name, face)) > MIN_OVERLAP
    ]
    taken: set[int] = set()
    found: list[tuple[ImportedName, Face, float]] = []
    for share, _, _, name, face in sorted(pairs, key=lambda pair: pair[:3], reverse=True):
        # Both sides are counted by their own numbers, told apart by their sign.
        if name.pk not in taken and -face.pk not in taken:
            taken |= {name.pk, -face.pk}
            found.append((name, face, share))
    if len(scene.names) == len(scene.faces) == 1 and scene.names[0].x is None:
        found.append((scene.names[0], scene.faces[0], 1.0))
    return found


def _share(name: ImportedName, face: Face) -> float:
    if name.x is None or name.y is None or name.width is None or name.height is None:
        return 0.0
    return shared(face, Box(name.x, name.y, name.width, name.height))


def _may_label(scene: _Scene, known: _Known, name: ImportedName, face: Face) -> bool:
    person = name.person.merged_into or name.person
    if face.person_source == Source.HUMAN_CONFIRMED or person.pk in scene.present:
        return False
    if (face.pk, person.pk) in known.never:
        return False
    taken = known.taken.get(face.pk)
    return not (taken and person.birth_date and taken < person.birth_date)


def _label(name: ImportedName, face: Face, share: float) -> FaceLabel:
    return FaceLabel(
        face=face,
        person_id=name.person_id,
        verdict=Verdict.CONFIRMED,
        source=Source.IMPORTED,
        confidence=round(share, 4),
        engine=name.source,
    )
