"""What was found, to take away: a table (CSV), data (JSON), or the originals in a ZIP.

Everything is written while it is read, some hundred photos at a time, so that memory does not grow with the
number of photos. Access rights are asked again for every portion: what somebody may not see any more when
its turn comes is left out.

The ZIP is written by ``zipfile`` of the standard library, which can write to what cannot be sought and turns
to ZIP64 by itself: pictures are compressed already, so they are stored as they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, TypeVar

from library.access import photos_for
from library.models import Photo, PhotoFile
from library.presentation import generated_description
from library.storage import OriginalMissing, open_original
from library.timeline import with_details

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User: TypeAlias = AbstractBaseUser | AnonymousUser

PORTION: Final = 200
CHUNK: Final = 1 << 18
MISSING_NAME: Final = "missing.txt"
NAME_BYTES: Final = 200
"""So long a name fits every file system, with a number put before its ending."""

COLUMNS: Final = (
    "id",
    "file",
    "folder",
    "root",
    "taken",
    "utc_offset_minutes",
    "title",
    "description",
    "tags",
    "categories",
    "keywords",
    "rating",
    "camera",
    "lens",
    "format",
    "width",
    "height",
    "latitude",
    "longitude",
    "sha256",
)
_UNSAFE: Final = re.compile(r'[<>:"/\\|?*]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

T = TypeVar("T")


def csv_lines(photo_ids: Iterable[int], user: User) -> Iterator[str]:
    """A table with a header; it begins with a byte order mark, by which spreadsheets know UTF-8."""
    yield "\ufeff" + _csv_line(COLUMNS)
    for photo in _photos(photo_ids, user):
        yield _csv_line([_cell(value) for value in record(photo).values()])


def json_lines(photo_ids: Iterable[int], user: User) -> Iterator[str]:
    """A JSON array of objects with the keys of COLUMNS, one a line."""
    yield "["
    for number, photo in enumerate(_photos(photo_ids, user)):
        yield (",\n" if number else "\n") + json.dumps(record(photo), ensure_ascii=False)
    yield "\n]\n"


def record(photo: Photo) -> dict[str, Any]:
    """What is told of a photo that has its details (``library.timeline.with_details``), by COLUMNS.

    ``file``, ``folder`` and ``root`` are those of its first file that is there and may be seen; times are on
    the clock of the wall.
    """
    files: Sequence[PhotoFile] = getattr(photo, "visible_files", ())
    file = next((file for file in files if file.missing_since is None), None)
    found = list(photo.detected_objects.all())
    taken = photo.taken_local
    values = (
        photo.pk,
        file.name if file else "",
        file.folder if file else "",
        file.root.name if file else "",
        taken.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") if taken else "",
        photo.taken_offset_minutes,
        photo.title,
        photo.description or generated_description(photo),
        [tagged.tag.name for tagged in found],
        list(dict.fromkeys(tagged.category.name for tagged in found if tagged.category)),
        [str(keyword) for keyword in photo.keywords],
        photo.rating,
        photo.camera,
        photo.lens,
        photo.format,
        photo.width,
        photo.height,
        photo.latitude,
        photo.longitude,
        photo.sha256,
    )
    return dict(zip(COLUMNS, values, strict=True))


def zip_chunks(photo_ids: Iterable[int], user: User) -> Iterator[bytes]:
    """The originals in one ZIP, stored as they are, under names that are safe and unique.

    Of each photo one file is taken, from a folder this user may see. Those that are not there, or broke off
    while they were read, are listed in ``missing.txt`` at the end.
    """
    sink = _Sink()
    names = _Names()
    missing: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for photo in _photos(photo_ids, user):
            files: Sequence[PhotoFile] = getattr(photo, "visible_files", ())
            try:
                file, stream = open_original(photo, files=[f for f in files if f.missing_since is None])
            except OriginalMissing:
                missing.append(f"{_told(photo, files)}: not there")
                continue
            name = names.unique(file.name)
            with stream, archive.open(_entry(name, photo), "w", force_zip64=True) as entry:
                for _ in _copied(stream, entry, missing, name):
                    yield sink.taken()
            yield sink.taken()
        if missing:
            archive.writestr(MISSING_NAME, "\n".join(missing) + "\n")
    yield sink.taken()


def safe_name(name: str) -> str:
    """A name that every system takes for a file right here: no folders, no controls, no reserved names."""
    name = unicodedata.normalize("NFC", name)
    name = "".join(char if char.isprintable() else "_" for char in name)
    name = _UNSAFE.sub("_", name).strip().rstrip(".").lstrip(".") or "photo"
    if _RESERVED.match(name):
        name = f"_{name}"
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 20:
        stem, ending = name, ""
    tail = f".{ending}" if ending else ""
    return _cut(stem, NAME_BYTES - len(tail.encode())) + tail


class _Names:
    """Gives each name once, also to systems that do not tell upper from lower case."""

    def __init__(self) -> None:
        self._taken = {MISSING_NAME}
        self._numbers: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name made safe; with a number when it was given before."""
        wanted = candidate = safe_name(name)
        stem, dot, ending = wanted.rpartition(".") if "." in wanted else (wanted, "", "")
        number = self._numbers.get(wanted.casefold(), 1)
        while candidate.casefold() in self._taken:
            number += 1
            candidate = f"{stem} ({number}){dot}{ending}"
        self._numbers[wanted.casefold()] = number
        self._taken.add(candidate.casefold())
        return candidate


class _Sink(io.RawIOBase):
    """Takes what the archive writes and hands it on; cannot be sought, so nothing is patched afterwards."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _photos(photo_ids: Iterable[int], user: User) -> Iterator[Photo]:
    """The photos in the order of their keys, a portion at a time, as far as they may be seen by then."""
    for portion in _portions(photo_ids, PORTION):
        photos = photos_for(user).filter(pk__in=portion)
        by_id = {photo.pk: photo for photo in with_details(photos, user)}
        yield from (by_id[pk] for pk in portion if pk in by_id)


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion


def _copied(stream: BinaryIO, entry: IO[bytes], missing: list[str], name: str) -> Iterator[None]:
    """Copy chunk by chunk, stopping after each. A disk that goes away ends the file, not the archive."""
    try:
        while chunk := stream.read(CHUNK):
            entry.write(chunk)
            yield
    except OSError as error:
        missing.append(f"{name}: broke off while it was read ({error.strerror})")


def _entry(name: str, photo: Photo) -> zipfile.ZipInfo:
    taken = photo.taken_local.astimezone(UTC) if photo.taken_local else datetime(1980, 1, 1, tzinfo=UTC)
    moment = taken.timetuple()[:6] if 1980 <= taken.year <= 2107 else (1980, 1, 1, 0, 0, 0)
    entry = zipfile.ZipInfo(name, date_time=moment)
    entry.external_attr = 0o644 << 16
    return entry


def _told(photo: Photo, files: Sequence[PhotoFile]) -> str:
    return ", ".join(_plain(file.display_path) for file in files) or f"photo {photo.pk}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "_" for char in text)


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _cell(value: Any) -> Any:
    """What a spreadsheet shows as it is: text that would be taken for a formula gets an apostrophe.

    The characters are those of OWASP, "CSV Injection".
    """
    if isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return value


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode("utf-8", "ignore")
