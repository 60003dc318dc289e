"""What people said about faces, as plain data: to carry it to another library, or from another program.

Photos are named by their content, faces by their place, so it holds over new engines, moved files and a new
database. Only labels in force are carried, and no guesses: the models make those anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.utils import timezone

from library.models import Photo
from people.boxes import box_of
from people.models import Face, FaceLabel, NotSame, Person
from vision.results import Box

FORMAT: Final = "heirloom-people"
VERSION: Final = 1
PART: Final = 2000


class NotReadable(Exception):  # noqa: N818 - a state of the file
    """The file is not what was asked for; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class CarriedPerson:
    """Somebody, by a key of the source. ``aliases`` are names under which they were merged away."""

    key: str
    name: str
    birth_date: date | None = None
    notes: str = ""
    hidden: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CarriedLabel:
    """A verdict. ``person`` is a key of the source; None for what is nobody's face."""

    verdict: str
    person: str | None
    source: str
    confidence: float | None = None
    engine: str = ""
    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class CarriedFace:
    """A face of a photo of this library, with what was said about it."""

    photo_id: int
    box: Box
    labels: tuple[CarriedLabel, ...]
    pinned: bool = False
    cover_of: str | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """Everything of one file. ``unknown_photos`` are in it, and not in this library."""

    people: tuple[CarriedPerson, ...]
    faces: tuple[CarriedFace, ...]
    not_same: tuple[tuple[str, str], ...] = ()
    unknown_photos: int = 0


def export() -> dict[str, Any]:
    """All people and labels of this library, for JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": timezone.now().isoformat(),
        "people": list(_people()),
        "not_same": sorted({_pair(pair) for pair in NotSame.objects.select_related("one", "two")}),
        "faces": list(_faces()),
    }


def _people() -> Iterator[dict[str, Any]]:
    aliases: dict[int, list[str]] = defaultdict(list)
    for merged in Person.objects.filter(merged_into__isnull=False).order_by("pk"):
        aliases[merged.merged_into_id or 0].append(merged.name)
    for person in Person.objects.active().order_by("pk"):
        yield {
            "key": str(person.pk),
            "name": person.name,
            "birth_date": person.birth_date.isoformat() if person.birth_date else None,
            "notes": person.notes,
            "hidden": person.hidden,
            "aliases": aliases[person.pk],
        }


def _pair(pair: NotSame) -> tuple[str, str]:
    one, two = sorted((pair.one.final_id, pair.two.final_id))
    return str(one), str(two)


def _faces() -> Iterator[dict[str, Any]]:
    said = FaceLabel.objects.in_force().exclude(source=FaceLabel.Source.MODEL_GUESS)
    covers = dict(Person.objects.active().exclude(cover=None).values_list("cover_id", "pk"))
    keys = list(said.order_by("face").values_list("face_id", flat=True).distinct())
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        labels: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for label in said.filter(face__in=part).select_related("person", "by").order_by("pk"):
            labels[label.face_id].append(_label(label))
        faces = Face.objects.filter(pk__in=part, photo__sha256__isnull=False).defer("embedding", "landmarks")
        for face in faces.select_related("photo", "prototype").order_by("pk"):
            prototype = getattr(face, "prototype", None)
            box = box_of(face)
            yield {
                "photo": face.photo.sha256,
                "box": [box.x, box.y, box.width, box.height],
                "pinned": bool(prototype and prototype.pinned),
                "cover_of": str(covers[face.pk]) if face.pk in covers else None,
                "labels": labels[face.pk],
            }


def _label(label: FaceLabel) -> dict[str, Any]:
    return {
        "verdict": label.verdict,
        "person": str(label.final_id) if label.final_id else None,
        "source": label.source,
        "confidence": label.confidence,
        "engine": label.engine,
        "at": label.at.isoformat(),
        "by": str(label.by or ""),
    }


def read(data: Any) -> Carried:
    """What ``export`` wrote. Raises NotReadable."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise NotReadable("This is no export of people: `people export` writes one.")
    if data.get("version") != VERSION:
        raise NotReadable(f"This export is of version {data.get('version')}; known is {VERSION}.")
    try:
        people = tuple(_read_person(row) for row in data["people"])
        known = photos_by_hash(str(row["photo"]) for row in data["faces"])
        faces = tuple(_read_face(row, known[row["photo"]]) for row in data["faces"] if row["photo"] in known)
        not_same = tuple((str(one), str(two)) for one, two in data["not_same"])
    except (KeyError, TypeError, ValueError) as error:
        raise NotReadable(f"The export is damaged: {type(error).__name__}: {error}") from error
    unknown = len({row["photo"] for row in data["faces"]} - set(known))
    return Carried(people, faces, not_same, unknown)


def photos_by_hash(hashes: Iterable[str]) -> dict[str, int]:
    """The photos of this library that have these contents."""
    wanted = sorted(set(hashes))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), PART):
        rows = Photo.objects.filter(sha256__in=wanted[start : start + PART]).values_list("sha256", "pk")
        found |= {sha256: pk for sha256, pk in rows if sha256}
    return found


def _read_person(row: Mapping[str, Any]) -> CarriedPerson:
    birth = row.get("birth_date")
    return CarriedPerson(
        key=str(row["key"]),
        name=str(row["name"]),
        birth_date=date.fromisoformat(birth) if birth else None,
        notes=str(row.get("notes", "")),
        hidden=bool(row.get("hidden")),
        aliases=tuple(str(name) for name in row.get("aliases", [])),
    )


def _read_face(row: Mapping[str, Any], photo_id: int) -> CarriedFace:
    x, y, width, height = (float(number) for number in row["box"])
    cover = row.get("cover_of")
    return CarriedFace(
        photo_id=photo_id,
        box=Box(x, y, width, height),
        labels=tuple(_read_label(label) for label in row["labels"]),
        pinned=bool(row.get("pinned")),
        cover_of=str(cover) if cover is not None else None,
    )


def _read_label(row: Mapping[str, Any]) -> CarriedLabel:
    at, person = row.get("at"), row.get("person")
    return CarriedLabel(
        verdict=FaceLabel.Verdict(row["verdict"]).value,
        person=str(person) if person is not None else None,
        source=FaceLabel.Source(row["source"]).value,
        confidence=float(row["confidence"]) if row.get("confidence") is not None else None,
        engine=str(row.get("engine", ""))[:200],
        at=datetime.fromisoformat(at) if at else None,
        by=str(row.get("by", "")),
    )
