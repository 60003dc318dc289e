"""Google Takeout: the JSON files it lays beside photos, and what they say.

Names, as Takeout gives them: the photo's name, since 2024 followed by ``.supplemental-metadata``, cut to 46
characters, then the number of a doubled name in brackets, then ``.json``. Older exports lack the suffix. The
photo's own name is cut to 47 characters before its extension, and its number stands before the extension:
``IMG_1(1).jpg`` belongs to ``IMG_1.jpg(1).json`` or ``IMG_1.jpg.supplemental-metadata(1).json``.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vision.imaging.places import Place
from vision.imaging.text import clean_text, finite

MOST_BYTES: Final = 1 << 20
_CUT: Final = 46
_SUFFIX: Final = ".supplemental-metadata"
_NUMBERED: Final = re.compile(r"(.*)(\(\d{1,5}\))(\.[^.]+)?", re.DOTALL)
#: What Google Photos adds to the name of an edited copy, in the languages people reported.
_EDITED: Final = re.compile(
    r"-(?:edited|effects|smile|mix|bearbeitet|modifié|edit[aá]do|ha editado|editada|modificato|bewerkt"
    r"|edytowane|redigerad|redigeret|redigert|muokattu|upraveno|upravené|düzenlendi|измененный|изменено"
    r"|szerkesztett|editat|編集済み|已修改|已编辑|已編輯|수정됨)(?=\(\d+\)|$)",
    re.IGNORECASE,
)
#: Other names that one picture goes by: the still of a live photo, and what Google converted.
_OTHER_EXTENSIONS: Final = (".HEIC", ".heic", ".jpg", ".JPG", ".jpeg", ".png", ".MOV", ".mov", ".MP4", ".mp4")
_ALBUM_NAMES: Final = (
    "metadata.json",
    "Metadaten.json",
    "métadonnées.json",
    "metadati.json",
    "metadatos.json",
    "metadados.json",
    "metagegevens.json",
    "metadane.json",
    "metadata-album.json",
    "метаданные.json",
    "メタデータ.json",
    "元数据.json",
    "中繼資料.json",
)
#: Folders that hold a year and are no album, as they are titled in the languages people reported.
_YEAR_TITLE: Final = re.compile(
    r"(?:Photos from|Fotos von|Fotos aus|Photos de|Fotos de|Fotos del|Foto's uit|Foto dal|Foto da|Foto del"
    r"|Zdjęcia z|Foton från|Bilder från|Bilder fra|Billeder fra|Фото за)\s+\d{4}"
    r"|\d{4}\s*年的?(?:照片|の写真|相片)?",
    re.IGNORECASE,
)
#: Google replaces these by an underscore when it makes a file name of a title.
_FORBIDDEN: Final = re.compile(r"[%&<>=:\"'/\\?*|#{}\[\]@!$+`~^,;]")


@dataclass(frozen=True, slots=True)
class TakeoutNote:
    """What the JSON of one photo says. ``taken`` is an instant in UTC: Takeout knows no clock on the wall."""

    title: str = ""
    description: str = ""
    taken: datetime | None = None
    place: Place | None = None
    #: The place was set in Google Photos and differs from the one in the file.
    place_corrected: bool = False
    people: tuple[str, ...] = ()
    favourite: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name the JSON may have. ``certain`` names are taken as they are, others only if the title agrees."""

    name: str
    certain: bool


def candidates(photo_name: str) -> Iterator[Candidate]:
    """The names under which the JSON of this photo may lie beside it, the likeliest first."""
    seen: set[str] = set()
    for base, certain in _bases(unicodedata.normalize("NFC", photo_name)):
        for name in _json_names(base):
            if name not in seen:
                seen.add(name)
                # A name that was cut may stand for several photos: the title must agree.
                yield Candidate(name, certain and len(base) <= _CUT)


def _bases(name: str) -> Iterator[tuple[str, bool]]:
    """The photo's name, that of the picture it is an edited copy of, and their other extensions."""
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    original = _EDITED.sub("", stem)
    yield name, True
    if original != stem:
        yield original + extension, True
    for stem_ in dict.fromkeys((stem, original)):
        # Photos without an extension get one on their way out; their JSON does not.
        yield stem_, False
        yield from ((stem_ + other, False) for other in _OTHER_EXTENSIONS)


def _json_names(base: str) -> Iterator[str]:
    yield f"{base[:_CUT]}.json"
    yield f"{(base + _SUFFIX)[:_CUT]}.json"
    numbered = _NUMBERED.fullmatch(base)
    if numbered:
        plain = numbered[1] + (numbered[3] or "")
        yield f"{plain[:_CUT]}{numbered[2]}.json"
        yield f"{(plain + _SUFFIX)[:_CUT]}{numbered[2]}.json"


def parse_note(data: bytes, photo_name: str = "") -> TakeoutNote | None:
    """What the JSON says; None when it is no note of Takeout, or with ``photo_name`` that of another photo.

    Raises ValueError when it is no JSON.
    """
    found = _load(data)
    if not isinstance(found, dict) or not found.keys() & {"photoTakenTime", "geoData", "geoDataExif"}:
        return None
    title = clean_text(found.get("title"), 500)
    if photo_name and not _same_name(title, photo_name):
        return None
    place, corrected = _place(found)
    people = found.get("people")
    names = [clean_text(one.get("name"), 200) for one in _dicts(people)]
    return TakeoutNote(
        title=title,
        description=clean_text(found.get("description")),
        taken=_instant(found.get("photoTakenTime")),
        place=place,
        place_corrected=corrected,
        people=tuple(dict.fromkeys(name for name in names if name))[:100],
        favourite=found.get("favorited") is True,
    )


def album_names() -> tuple[str, ...]:
    """The names under which a folder's own JSON goes, by the language of the account."""
    return _ALBUM_NAMES


def parse_album(data: bytes) -> tuple[str, str] | None:
    """Title and description of the album whose folder this JSON lies in; None when it is none.

    Folders of years are none. Raises ValueError when it is no JSON.
    """
    found = _load(data)
    if not isinstance(found, dict) or "photoTakenTime" in found:
        return None
    inner = found.get("albumData")
    values = inner if isinstance(inner, dict) else found
    title = clean_text(values.get("title"), 200)
    if not title or _YEAR_TITLE.fullmatch(title):
        return None
    return title, clean_text(values.get("description"), 2000)


def _load(data: bytes) -> Any:
    """Raises ValueError for what is no JSON, also when it is nested beyond reason."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"a JSON file of {len(data)} bytes is not read")
    try:
        return json.loads(data.decode("utf-8-sig", "replace"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _instant(value: object) -> datetime | None:
    """Seconds since 1970 as text; negative ones are dates before. 0 stands for unknown."""
    seconds = finite(value.get("timestamp")) if isinstance(value, dict) else None
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _place(found: dict[str, Any]) -> tuple[Place | None, bool]:
    """The place Google shows, else that of the file; and whether the first corrects the second."""
    shown, embedded = _position(found.get("geoData")), _position(found.get("geoDataExif"))
    if shown is None or embedded is None:
        return shown or embedded, False
    # A thousandth of a degree is 100 m: less is rounding, more is somebody's correction.
    far = max(abs(shown.latitude - embedded.latitude), abs(shown.longitude - embedded.longitude)) > 0.001
    return shown, far


def _position(value: object) -> Place | None:
    if not isinstance(value, dict):
        return None
    latitude, longitude = finite(value.get("latitude")), finite(value.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    if latitude == 0 and longitude == 0:
        return None
    altitude = finite(value.get("altitude"))
    known = altitude is not None and altitude != 0 and -12_000 <= altitude <= 100_000
    return Place(round(latitude, 7), round(longitude, 7), altitude if known else None)


def _same_name(title: str, photo_name: str) -> bool:
    """Whether a title and a file name are of one photo: cut, cleaned, numbered, edited or converted."""
    mine, theirs = _plain(photo_name), _plain(title)
    return bool(mine and theirs) and (mine == theirs or (len(mine) >= 40 and theirs.startswith(mine)))


def _plain(name: str) -> str:
    stem, extension = os.path.splitext(unicodedata.normalize("NFC", name))  # noqa: PTH122 - a name
    if len(extension) > 5:
        stem += extension
    numbered = _NUMBERED.fullmatch(stem)
    stem = _EDITED.sub("", numbered[1] if numbered and not numbered[3] else stem)
    return _FORBIDDEN.sub("_", stem).casefold().strip()
