"""The tag data of RAM++: names in two languages and a threshold each, from the published text files."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vision.errors import EngineUnavailable

Language = Literal["en", "zh"]

ENGLISH_FILE = "ram_tag_list.txt"
CHINESE_FILE = "ram_tag_list_chinese.txt"
THRESHOLD_FILE = "ram_tag_list_threshold.txt"
TAG_FILES = (ENGLISH_FILE, CHINESE_FILE, THRESHOLD_FILE)
_REMEDY = (
    "Copy the file again from ram/data of the repository xinyu1205/recognize-anything, unchanged, "
    "all three of the same version."
)


@dataclass(frozen=True, slots=True)
class RamTags:
    """All tags in the order of the network's outputs; a threshold of 1 switches a tag off."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]
    thresholds: tuple[float, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.english)

    def names(self, language: Language) -> tuple[str, ...]:
        """The tags' names in a language. Chinese names repeat: several English words share one."""
        return self.chinese if language == "zh" else self.english


def read_tags(folder: Path) -> RamTags:
    """Read the three files, blanks around entries removed; a few milliseconds.

    Raises EngineUnavailable naming the file, and the line where there is one, that cannot be used.
    """
    texts = {name: _read(folder / name) for name in TAG_FILES}
    english = _names(folder / ENGLISH_FILE, texts[ENGLISH_FILE])
    chinese = _names(folder / CHINESE_FILE, texts[CHINESE_FILE])
    thresholds = _thresholds(folder / THRESHOLD_FILE, texts[THRESHOLD_FILE])
    for name, found in ((CHINESE_FILE, len(chinese)), (THRESHOLD_FILE, len(thresholds))):
        if found != len(english):
            why = f"it has {found} entries, {ENGLISH_FILE} has {len(english)}"
            raise _unusable(folder / name, why)
    digest = hashlib.sha256(repr((english, chinese, thresholds)).encode()).hexdigest()
    return RamTags(english=english, chinese=chinese, thresholds=thresholds, digest=digest)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error)) from error


def _entries(path: Path, text: str) -> list[str]:
    """One entry a line. Blank lines at the end are nothing; one inside would shift all that follow."""
    entries = [line.strip() for line in text.rstrip().split("\n")]
    if "" in entries:
        raise _unusable(path, f"line {entries.index('') + 1} is empty")
    return entries


def _names(path: Path, text: str) -> tuple[str, ...]:
    return tuple(_entries(path, text))


def _thresholds(path: Path, text: str) -> tuple[float, ...]:
    values = []
    for number, entry in enumerate(_entries(path, text), start=1):
        try:
            value = float(entry)
        except ValueError as error:
            raise _unusable(path, f"line {number} is {entry!r}, not a number") from error
        if not (math.isfinite(value) and 0 < value <= 1):
            raise _unusable(path, f"line {number} is {entry!r}, not a number above 0 and at most 1")
        values.append(value)
    return tuple(values)


def _unusable(path: Path, why: str) -> EngineUnavailable:
    return EngineUnavailable(f"The RAM++ tag file {path} cannot be used: {why}.", _REMEDY)
