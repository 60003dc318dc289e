"""Picasa's ``.picasa.ini``: one a folder, a section a picture, with faces, captions, keywords and stars."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from vision.imaging.text import clean_text
from vision.results import Box

FILE_NAMES: Final = (".picasa.ini", "Picasa.ini", "picasa.ini")
MOST_BYTES: Final = 4 << 20
_FACE: Final = re.compile(r"rect64\(([0-9a-fA-F]{1,16})\)\s*,\s*([0-9a-fA-F]+)")
_CONTACTS: Final = ("contacts2", "contacts")


@dataclass(frozen=True, slots=True)
class PicasaEntry:
    """What Picasa knows of one picture. ``faces`` are named boxes in fractions of the upright picture."""

    caption: str = ""
    keywords: tuple[str, ...] = ()
    starred: bool = False
    faces: tuple[tuple[str, Box], ...] = ()


def parse_entry(data: bytes, photo_name: str) -> PicasaEntry | None:
    """The entry of this picture; None when the file has none. Lines that make no sense are passed over.

    Faces whose contact has no name in this file stay nameless (Picasa keeps other names in a file of its
    own on the owner's computer) and are left out.
    """
    sections = _sections(data)
    values = sections.get(_key(photo_name))
    if values is None:
        return None
    contacts = {
        number.lstrip("0"): clean_text(value.split(";")[0], 200)
        for section in reversed(_CONTACTS)
        for number, value in sections.get(section, {}).items()
    }
    named = []
    for rectangle, contact in _FACE.findall(values.get("faces", "")):
        name, box = contacts.get(contact.lower().lstrip("0"), ""), _box(rectangle)
        if name and box:
            named.append((name, box))
    words = [clean_text(word, 200) for word in values.get("keywords", "").split(",")]
    return PicasaEntry(
        caption=clean_text(values.get("caption")),
        keywords=tuple(word for word in words if word),
        starred=values.get("star", "").lower() == "yes",
        faces=tuple(named),
    )


@lru_cache(maxsize=8)
def _sections(data: bytes) -> Mapping[str, Mapping[str, str]]:
    """By hand: names of pictures hold every character that ``configparser`` minds."""
    found: dict[str, dict[str, str]] = {}  # one file serves a whole folder of photos: kept for a while
    current: dict[str, str] = {}
    for line in clean_lines(data):
        if line.startswith("[") and line.endswith("]"):
            current = found.setdefault(_key(line[1:-1]), {})
        elif "=" in line:
            name, _, value = line.partition("=")
            current.setdefault(name.strip().lower(), value.strip())
    return found


def clean_lines(data: bytes) -> list[str]:
    """The lines of a text file of Windows: UTF-8, or the Western code page of old versions."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return [line.strip() for line in text.replace("\r", "\n").split("\n")]


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _box(rectangle: str) -> Box | None:
    """Four 16-bit numbers, left, top, right, bottom, in 65535ths; leading zeros are left out in the file."""
    digits = rectangle.rjust(16, "0")
    left, top, right, bottom = (int(digits[at : at + 4], 16) / 65535 for at in range(0, 16, 4))
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None
