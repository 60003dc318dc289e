"""The fields of the language: their names, and why a value cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from search.query import values
from search.text import words


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a value must be, what it is for, and how it is written."""

    usable: Callable[[str], bool]
    meaning: str
    examples: tuple[str, ...]


def _kind(usable: Callable[[str], object], meaning: str, *examples: str) -> FieldKind:
    return FieldKind(lambda value: usable(value) is not None, meaning, examples)


def _some_words(value: str) -> object:
    return words(value) or None


def _date(usable: Callable[[str], object], meaning: str, *examples: str) -> FieldKind:
    return _kind(usable, meaning, "2019", "2019-05", "2019-05-31", *examples)


def _choice(name: str, meaning: str) -> FieldKind:
    return _kind(lambda value: values.choice(name, value), meaning, *values.CHOICES[name])


KINDS: Final[dict[str, FieldKind]] = {
    "tag": _kind(_some_words, "a tag or keyword, in full", "cat", "street food"),
    "category": _kind(_some_words, "a category", "food"),
    "text": _kind(_some_words, "words in the picture or its description", "vet bill"),
    "person": _kind(_some_words, "somebody in it", "anna"),
    "album": _kind(_some_words, "words of an album's title", "summer 2019"),
    "place": _kind(_some_words, "a city, region or country", "paris", "italy"),
    "folder": _kind(lambda value: value.strip("/ ") or None, "a folder with all below it", "2019/trip"),
    "camera": _kind(_some_words, "part of its maker or model", "pixel"),
    "lens": _kind(_some_words, "part of its name", "50mm"),
    "type": _kind(_some_words, "a format, or what it is", "jpg", "raw", "screenshot", "motion", "live"),
    "format": _kind(_some_words, "a format", "jpg", "heic", "raw"),
    "color": _kind(values.colour, "a colour that stands out", *values.COLOURS, "#ff8800"),
    "rating": _kind(lambda value: values.count(value, most=5), "stars", "4", "4+", "<3"),
    "year": _date(values.span, "taken in it", "2015..2019"),
    "date": _date(values.span, "taken then", "2019-06..2019-08"),
    "before": _date(values.period, "taken before its first day"),
    "after": _date(values.period, "taken from its first day on"),
    "size": _kind(values.size, "bytes of the file or megapixels", ">5mb", "<500kb", ">12mp"),
    "near": _kind(values.circle, "degrees north, degrees east, kilometres", "48.86,2.35,5"),
    "faces": _kind(lambda value: values.count(value, most=999), "how many faces", "0", "1", "2+"),
    "orientation": _choice("orientation", "its shape"),
    "has": _choice("has", "what is there"),
    "is": _choice("is", "what it is"),
    "show": _choice("show", "nearly identical photos one by one, too"),
}
FIELDS: Final = tuple(KINDS)
DATE_FIELDS: Final = ("before", "after", "year", "date")
ALIASES: Final = {"colour": "color", "people": "person", "tags": "tag"}


def known_name(typed: str) -> str:
    """The field that is meant; what was typed in lower case when there is none."""
    name = typed.casefold()
    return ALIASES.get(name, name)


def problem(name: str, value: str) -> str:
    """Why this cannot be a field and its value; empty when it can."""
    kind = KINDS.get(name)
    if kind is None:
        meant = get_close_matches(name, FIELDS, n=1)
        known = f"Did you mean “{meant[0]}:”?" if meant else f"Fields are {', '.join(FIELDS)}."
        return f"“{name}:” is not a field; it was searched as words. {known}"
    if kind.usable(value):
        return ""
    examples = [f'{name}:"{example}"' if " " in example else f"{name}:{example}" for example in kind.examples]
    several = examples[0] if len(examples) == 1 else f"{', '.join(examples[:-1])} or {examples[-1]}"
    if not value.strip():
        return f"“{name}:” needs a value, such as {several}."
    noun = "date" if name in DATE_FIELDS else f"value of “{name}:”"
    return f"“{name}:{value}” is no {noun}; write {several}."
