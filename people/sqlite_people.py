"""People of another program: its photos, people, faces and labels as what can be carried in.

Photos are found here by the hash of their content, else by their path. Boxes may be fractions or pixels,
sides or corners. Of several labels of a face the last counts; what a program guessed is left to the models.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from library.models import Photo, PhotoFile, Root
from people.models import FaceLabel
from people.sqlite_source import Table
from people.transfer import PART, Carried, CarriedFace, CarriedLabel, CarriedPerson, photos_by_hash
from vision.imaging.text import finite
from vision.results import Box

Verdict, Source = FaceLabel.Verdict, FaceLabel.Source

_BOXES: Final = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("box_x", "box_y", "box_width", "box_height"),
    ("left", "top", "width", "height"),
)
_CORNERS: Final = (
    ("x1", "y1", "x2", "y2"),
    ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"),
    ("left", "top", "right", "bottom"),
    ("xmin", "ymin", "xmax", "ymax"),
)
_HUMAN: Final = ("human", "user", "manual", "confirmed", "verified", "owner")
_GUESS: Final = ("model", "guess", "auto", "predict", "suggest", "cluster", "engine", "machine")
_NO: Final = ("reject", "not", "no", "false", "wrong", "deny", "denied")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _There:
    """A photo of the other program, and its key here."""

    width: float | None
    height: float | None
    here: int | None = None


@dataclass(slots=True)
class Reading:
    """What was read, and what was left out of it."""

    carried: Carried
    photos: int
    left_out: Counter[str] = field(default_factory=Counter)


def read_people(connection: sqlite3.Connection) -> Reading:
    """Everything in the database. Raises NotReadable when a table or column is missing."""
    left_out: Counter[str] = Counter()
    people, final = _people(connection)
    photos = _photos(connection)
    faces = Table.of(connection, "faces")
    said = _labels(connection, final, left_out)
    direct = faces.find("person", "people")
    photo_column = faces.need("photo", "photos")
    carried: list[CarriedFace] = []
    for row in faces.rows(connection):
        key, there = str(row["heirloom_key"]), photos.get(str(row[photo_column]))
        labels = said.get(key) or _direct(row[direct] if direct else None, final)
        if not labels:
            continue
        box = _box(faces, row, there) if there else None
        if there is None or there.here is None:
            left_out["photos that are not in this library"] += len(labels)
        elif box is None:
            left_out["faces without a box that can be read"] += len(labels)
        else:
            carried.append(CarriedFace(there.here, box, tuple(labels)))
    unknown = sum(there.here is None for there in photos.values())
    return Reading(Carried(people, tuple(carried), (), unknown), len(photos), left_out)


def _people(connection: sqlite3.Connection) -> tuple[tuple[CarriedPerson, ...], dict[str, str]]:
    """People, and of each key whose it is after merges."""
    table = Table.of(connection, "people")
    name, parent = table.need("name"), table.find("merged_into", "people")
    rows = {str(row["heirloom_key"]): row for row in table.rows(connection)}
    parents = {key: str(row[parent]) for key, row in rows.items() if parent and row[parent] is not None}
    final = {key: _last(key, parents, rows) for key in rows}
    aliases: dict[str, list[str]] = defaultdict(list)
    for key, row in rows.items():
        if final[key] != key:
            aliases[final[key]].append(str(row[name]))
    people = tuple(
        CarriedPerson(
            key=key,
            name=str(row[name] or ""),
            birth_date=_date(_value(table, row, "birth_date")),
            notes=str(_value(table, row, "notes") or ""),
            hidden=bool(_value(table, row, "hidden")),
            aliases=tuple(aliases[key]),
        )
        for key, row in rows.items()
        if final[key] == key
    )
    return people, final


def _last(key: str, parents: Mapping[str, str], rows: Mapping[str, object]) -> str:
    """The end of a chain of merges; of a circle, where it is entered."""
    seen = {key}
    while (parent := parents.get(key, "")) in rows and parent not in seen:
        seen.add(parent)
        key = parent
    return key


def _photos(connection: sqlite3.Connection) -> dict[str, _There]:
    table = Table.of(connection, "photos")
    found: dict[str, _There] = {}
    hashes: dict[str, str] = {}
    paths: dict[str, str] = {}
    for row in table.rows(connection):
        key = str(row["heirloom_key"])
        found[key] = _There(finite(_value(table, row, "width")), finite(_value(table, row, "height")))
        digest = str(_value(table, row, "sha256") or "").lower()
        if _HASH.fullmatch(digest):
            hashes[key] = digest
        if path := _value(table, row, "path"):
            paths[key] = str(path)
    by_hash = photos_by_hash(hashes.values())
    for key, digest in hashes.items():
        found[key].here = by_hash.get(digest)
    lost = {key: path for key, path in paths.items() if found[key].here is None}
    by_path = _photos_by_path(lost.values())
    for key, path in lost.items():
        found[key].here = by_path.get(path)
    _sizes(found)
    return found


def _photos_by_path(paths: Iterable[str]) -> dict[str, int]:
    """Photos by the whole path of a file, or by a path below a root that only one of them has."""
    roots = {root.pk: root.display_path.rstrip("/") + "/" for root in Root.objects.order_by("pk")}
    wanted: dict[str, set[tuple[int, str]]] = {}
    for path in paths:
        below = {(pk, path.removeprefix(folder)) for pk, folder in roots.items() if path.startswith(folder)}
        wanted[path] = below or {(pk, path.lstrip("./")) for pk in roots}
    names = sorted({name for places in wanted.values() for _, name in places})
    here: dict[tuple[int, str], int] = {}
    for start in range(0, len(names), PART):
        files = PhotoFile.objects.filter(display_path__in=names[start : start + PART])
        rows = files.values_list("root_id", "display_path", "photo_id")
        here |= {(root, name): photo for root, name, photo in rows}
    found = {path: {here[place] for place in places if place in here} for path, places in wanted.items()}
    return {path: photos.pop() for path, photos in found.items() if len(photos) == 1}


def _sizes(found: Mapping[str, _There]) -> None:
    """The size of the photo as it is seen, where the other program does not tell it."""
    lacking = [there for there in found.values() if there.here and not (there.width and there.height)]
    sizes = Photo.objects.in_bulk([there.here for there in lacking])
    for there in lacking:
        photo = sizes.get(there.here)
        if photo is not None:
            there.width, there.height = photo.width, photo.height


def _labels(
    connection: sqlite3.Connection, final: Mapping[str, str], left_out: Counter[str]
) -> dict[str, list[CarriedLabel]]:
    """What holds of each face: the last name, and whom it is not."""
    table = Table.of(connection, "face_labels")
    face, person = table.need("face", "faces"), table.need("person", "people")
    names: dict[str, CarriedLabel] = {}
    rejections: dict[str, dict[str, CarriedLabel]] = defaultdict(dict)
    for row in table.rows(connection):
        key, whom = str(row[face]), final.get(str(row[person]))
        verdict, source = _verdict(table, row), _source(table, row)
        if whom is None:
            left_out["labels of nobody"] += 1
        elif source == Source.MODEL_GUESS:
            left_out["guesses of the other program"] += 1
        elif verdict == Verdict.REJECTED:
            rejections[key][whom] = _label(table, row, whom, verdict, source)
            if key in names and names[key].person == whom:
                del names[key]
        else:
            rejections[key].pop(whom, None)
            names[key] = _label(table, row, whom, verdict, source)
    keys = {*names, *rejections}
    return {key: [*([names[key]] if key in names else []), *rejections[key].values()] for key in keys}


def _label(table: Table, row: sqlite3.Row, person: str, verdict: str, source: str) -> CarriedLabel:
    at = _value(table, row, "at")
    return CarriedLabel(
        verdict, person, source, finite(_value(table, row, "confidence")), "sqlite", _moment(at)
    )


def _direct(person: object, final: Mapping[str, str]) -> list[CarriedLabel]:
    """A person in the table of faces itself, without a label that says how it came there."""
    key = final.get(str(person)) if person is not None else None
    return [CarriedLabel(Verdict.CONFIRMED, key, Source.IMPORTED, engine="sqlite")] if key else []


def _verdict(table: Table, row: sqlite3.Row) -> str:
    value = _value(table, row, "verdict")
    text = str(value if value is not None else "").strip().lower()
    return Verdict.REJECTED if text.startswith(_NO) else Verdict.CONFIRMED


def _source(table: Table, row: sqlite3.Row) -> str:
    """Who said it, by the words of the column for it; without one, whether it counts as confirmed."""
    text = str(_value(table, row, "source") or "").lower()
    if any(word in text for word in _GUESS):
        return Source.MODEL_GUESS
    if any(word in text for word in _HUMAN):
        return Source.HUMAN_CONFIRMED
    verdict = _value(table, row, "verdict")
    if isinstance(verdict, int) and not text:
        return Source.HUMAN_CONFIRMED if verdict else Source.MODEL_GUESS
    if not text and str(verdict or "").lower().startswith(_HUMAN):
        return Source.HUMAN_CONFIRMED
    return Source.IMPORTED


def _box(table: Table, row: sqlite3.Row, there: _There) -> Box | None:
    """In fractions of the photo. Numbers beyond one and a half are pixels."""
    numbers = _numbers(table, row)
    if numbers is None:
        return None
    if max(numbers) > 1.5:
        if not there.width or not there.height:
            return None
        size = (there.width, there.height) * 2
        numbers = [number / whole for number, whole in zip(numbers, size, strict=True)]
    x, y, width, height = numbers
    return Box(x, y, width, height) if width > 0 and height > 0 else None


def _numbers(table: Table, row: sqlite3.Row) -> list[float] | None:
    """Left, top, width and height, from four columns or from one with JSON in it."""
    values: Mapping[str, object] = {name: row[column] for name, column in table.columns.items()}
    column = table.find("box")
    if column is not None and isinstance(row[column], str):
        try:
            value = json.loads(row[column])
        except ValueError:
            return None
        if isinstance(value, list):
            value = dict(zip(_BOXES[0], value, strict=False))
        values = value if isinstance(value, dict) else {}
    for names in _BOXES:
        if (numbers := _finite(values, names)) is not None:
            return numbers
    for names in _CORNERS:
        if (corners := _finite(values, names)) is not None:
            return [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]
    return None


def _finite(values: Mapping[str, object], names: Sequence[str]) -> list[float] | None:
    numbers = [finite(values.get(name)) for name in names]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(names) else None


def _value(table: Table, row: sqlite3.Row, meaning: str) -> Any:
    column = table.find(meaning)
    return row[column] if column else None


def _date(value: object) -> date | None:
    moment = _moment(value)
    return moment.date() if moment else None


def _moment(value: object) -> datetime | None:
    """A time as ISO text or as seconds since 1970; None for anything else."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(str(value)) if value else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
