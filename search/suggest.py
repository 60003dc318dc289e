"""What may be meant by what was typed so far: fields, people, places, tags, albums, cameras, words.

The last word is completed, or the last few where a name has several; what stands before it stays. Every
suggestion is a whole query that finds something this person may see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from search.history import recent
from search.lexicon import Entry, Kind, lexicon
from search.query import ALIASES, KINDS, Field
from search.rights import known
from search.text import fold, words

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User = AbstractBaseUser | AnonymousUser

MOST: Final = 10
MOST_OF_A_KIND: Final = 3
MOST_RECENT: Final = 6
MOST_OF_A_FIELD: Final = 8
LONGEST_NAME: Final = 4
"""Words at the end of the text that may be one name."""

#: Who comes first when the names fit alike. A word that can be a value of a field says more with it.
_ORDER: Final[dict[Kind, int]] = {
    "person": 0, "place": 1, "album": 2, "tag": 3, "category": 4, "field": 5, "camera": 6, "word": 7,
}  # fmt: skip
_FIELD: Final = re.compile(
    r"""(?:^|(?<=[\s(-]))(?P<field>[A-Za-z]+):(?:"(?P<quoted>[^"]*)|(?P<value>[^\s"()]*))\Z"""
)
_PLAIN: Final = re.compile(r"""(?<!\S)[^\s:"()]+""")
_SPECIAL: Final = re.compile(r"""[:"()]""")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``text`` is shown, ``query`` is what the box would hold; ``open``: a value has to be typed yet."""

    kind: Kind | Literal["recent"]
    text: str
    query: str
    detail: str = ""
    open: bool = False


def suggestions(text: str, user: User) -> list[Suggestion]:
    """At most ``MOST``, the likeliest first. Never raises for what was typed."""
    typed = text.lstrip()
    match = _FIELD.search(typed)
    if match is not None and typed[: match.start()].count('"') % 2 == 0:
        name = ALIASES.get(match["field"].casefold(), match["field"].casefold())
        if name in KINDS:
            return _values(name, match["quoted"] or match["value"] or "", typed[: match.start()], user)
    if not typed:
        return _recent("", user, MOST_RECENT)
    named = [] if typed[-1].isspace() or typed.count('"') % 2 else _names(typed, user)
    again = _recent(typed, user, MOST_OF_A_KIND - 1)
    return [*again, *(each for each in named if each.query not in {one.query for one in again})][:MOST]


def _recent(typed: str, user: User, most: int) -> list[Suggestion]:
    """This person's own searches that begin so. Those of others would tell what they have on their minds."""
    wanted = fold(typed)
    found = (entry.query for entry in recent(user))
    fitting = (query for query in found if fold(query).startswith(wanted) and fold(query) != wanted)
    return [Suggestion("recent", query, query) for query in islice(fitting, most)]


def _values(name: str, value: str, before: str, user: User) -> list[Suggestion]:
    """Values for the field that is being typed."""
    kind = next((kind for kind in _ORDER if kind == name), None)
    if kind is not None:
        entries = lexicon().ranked(" ".join(words(value)), _rank, (kind,), 2 * MOST_OF_A_FIELD)
        return [_suggestion(entry, before) for entry in known(entries, user)][:MOST_OF_A_FIELD]
    typed = fold(value)
    fitting = [str(Field(name, each)) for each in KINDS[name].examples if each.startswith(typed)]
    return [Suggestion("field", each, before + each) for each in fitting[:MOST_OF_A_FIELD]]


def _names(typed: str, user: User) -> list[Suggestion]:
    """Names that begin with the last words, the more of them the better, and fields."""
    found: dict[Entry, str] = {}
    for before, last in _endings(typed):
        prefix = " ".join(words(last))
        if prefix:
            for entry in lexicon().ranked(prefix, _rank, tuple(_ORDER), 2 * MOST_OF_A_KIND):
                found.setdefault(entry, before)
    told = _mixed(known(islice(found, 2 * MOST), user))
    return [_suggestion(entry, found[entry]) for entry in islice(told, MOST)]


def _endings(typed: str) -> Iterator[tuple[str, str]]:
    """The text cut before its last words: first before several, at last before the last one."""
    starts = [match.start() for match in _PLAIN.finditer(typed)]
    for start in [start for start in starts if not _SPECIAL.search(typed, start)][-LONGEST_NAME:]:
        sign = "-" if typed[start] == "-" else ""
        yield typed[:start] + sign, typed[start:]


def _mixed(entries: list[Entry]) -> Iterator[Entry]:
    """Not too many of a kind, and no word that is a name, too: it says nothing more."""
    counts: dict[Kind, int] = {}
    texts: set[str] = set()
    for entry in entries:
        folded = " ".join(words(entry.name))
        so_far = counts.get(entry.kind, 0)
        if so_far < MOST_OF_A_KIND and not (entry.kind == "word" and folded in texts):
            counts[entry.kind] = so_far + 1
            texts.add(folded)
            yield entry


def _rank(entry: Entry, *, first: bool) -> tuple[bool, bool, int, int, int, str]:
    """Names before plain words, and those first that begin so and not only with one of their other words."""
    plain = entry.kind == "word"
    return plain, not first, _ORDER[entry.kind], -entry.photos, len(entry.name), entry.name


def _suggestion(entry: Entry, before: str) -> Suggestion:
    if entry.kind == "field":
        detail = KINDS[entry.name].meaning
        return Suggestion("field", f"{entry.name}:", f"{before}{entry.name}:", detail, open=True)
    if entry.kind == "word":
        return Suggestion("word", entry.name, before + entry.name)
    value = " ".join(entry.name.replace('"', " ").split())
    return Suggestion(entry.kind, entry.name, before + str(Field(entry.kind, value)))
