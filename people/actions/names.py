"""Take the names other programs gave to people in photos, and give them to the faces found there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from people.models import Face, FaceLabel, ImportedName, Person
from vision.imaging.regions import NamedPerson, overlap
from vision.results import Box

#: Programs draw faces tighter or wider than detectors; half of the usual bar still tells neighbours apart.
MIN_OVERLAP = 0.25


@transaction.atomic
def import_names(*, named: Mapping[int, Sequence[NamedPerson]]) -> None:
    """Replace what other programs say about who is in these photos, and label the faces that are known.

    ``named`` maps photo ids to people. Whoever is not known by name yet becomes a person.
    """
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
    """By folded name. Of several people of one name the first is meant; nobody is made twice."""
    wanted = {name.casefold(): name for name in sorted(names)}
    if not wanted:
        return {}
    found: dict[str, Person] = {}
    for person in Person.objects.order_by("pk"):
        if person.name.casefold() in wanted:
            found.setdefault(person.name.casefold(), person)
    missing = [Person(name=name[:200]) for key, name in wanted.items() if key not in found]
    for person in Person.objects.bulk_create(missing):
        found[person.name.casefold()] = person
    return {key: found[wanted[key][:200].casefold()] for key in wanted}


@dataclass(slots=True)
class _Scene:
    """One photo: who should be in it, which faces were found, what was said about them."""

    names: list[ImportedName] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    labels: dict[int, list[FaceLabel]] = field(default_factory=lambda: defaultdict(list))


@transaction.atomic
def name_faces(*, photo_ids: Collection[int]) -> int:
    """Give imported names to the faces found at their places; say how many labels were written.

    What a person said stands: a face with a confirmed name keeps it, a rejected name does not return, and
    whoever was confirmed on another face of the photo is not given twice.
    """
    scenes = _scenes(photo_ids)
    labels: list[FaceLabel] = []
    changed: list[ImportedName] = []
    for scene in scenes.values():
        for name, face, share in _matches(scene):
            if name.face_id != face.pk:
                name.face = face
                changed.append(name)
            if _may_label(scene, name, face):
                labels.append(_label(name, face, share))
    ImportedName.objects.bulk_update(changed, ["face"])
    FaceLabel.objects.bulk_create(labels)
    return len(labels)


def _scenes(photo_ids: Collection[int]) -> dict[int, _Scene]:
    scenes: dict[int, _Scene] = defaultdict(_Scene)
    for name in ImportedName.objects.filter(photo_id__in=photo_ids).order_by("pk"):
        scenes[name.photo_id].names.append(name)
    if not scenes:
        return {}
    photo_of: dict[int, int] = {}
    for face in Face.objects.filter(photo_id__in=scenes).defer("embedding", "landmarks").order_by("pk"):
        scenes[face.photo_id].faces.append(face)
        photo_of[face.pk] = face.photo_id
    for label in FaceLabel.objects.filter(face_id__in=photo_of).order_by("at", "pk"):
        scenes[photo_of[label.face_id]].labels[label.face_id].append(label)
    return scenes


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
    return overlap(Box(name.x, name.y, name.width, name.height), Box(face.x, face.y, face.width, face.height))


def _may_label(scene: _Scene, name: ImportedName, face: Face) -> bool:
    mine = scene.labels.get(face.pk, [])
    human, confirmed = FaceLabel.Source.HUMAN_CONFIRMED, FaceLabel.Verdict.CONFIRMED
    if any(label.verdict == confirmed and label.source == human for label in mine):
        return False
    if any(
        label.verdict == FaceLabel.Verdict.REJECTED and label.person_id == name.person_id for label in mine
    ):
        return False
    if mine and mine[-1].person_id == name.person_id and mine[-1].source == FaceLabel.Source.IMPORTED:
        return False
    others = (label for pk, labels in scene.labels.items() if pk != face.pk for label in labels[-1:])
    return not any(
        label.person_id == name.person_id and label.verdict == confirmed and label.source == human
        for label in others
    )


def _label(name: ImportedName, face: Face, share: float) -> FaceLabel:
    return FaceLabel(
        face=face,
        person_id=name.person_id,
        verdict=FaceLabel.Verdict.CONFIRMED,
        source=FaceLabel.Source.IMPORTED,
        confidence=round(share, 4),
        engine=name.source,
    )
