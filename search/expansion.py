"""Other words for what was typed: the same, kinds of it, and what is often meant by it.

From a list of everyday words of our own, ``data/synonyms.txt``. The relations are those of a thesaurus:
synonyms, narrower words (dog → puppy), broader ones (puppy → dog) and related ones (dog → pet), each with a
weight that says how surely it is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from search.query import Expansion, SearchQuery, Term
from search.terms import with_terms
from search.text import words

FILE: Final = Path(__file__).parent / "data" / "synonyms.txt"
MOST: Final = 24
"""Alternatives of a word."""

SAME, KIND, BROADER, RELATED = 0.8, 0.6, 0.4, 0.3

_PARTS: Final = re.compile(r"([=>/~])")
#: Of a relation: of its words by the head word, and of the head word by them.
_WEIGHTS: Final = {"=": (SAME, SAME), ">": (KIND, BROADER), "/": (KIND, 0.0), "~": (RELATED, RELATED)}
#: Heads like "bar place" tell meanings apart; the word that says which is left out.
_MEANINGS: Final = frozenset({"animal", "building", "drink", "jewel", "place", "season"})


@dataclass(frozen=True, slots=True)
class Alternative:
    """Folded words that follow one another, and how surely they are meant, 0..1."""

    words: tuple[str, ...]
    weight: float

    @property
    def text(self) -> str:
        """As it is shown."""
        return " ".join(self.words)


def expanded(query: SearchQuery) -> SearchQuery:
    """The query whose free words carry their alternatives; quoted ones and fields stay as they are."""
    return with_terms(query, _expanded)


def _expanded(term: Term) -> Term:
    if term.expanded:
        return term
    others = alternatives(term.text)
    return replace(term, expanded=tuple(Expansion(other.words, other.weight) for other in others))


def alternatives(word: str) -> tuple[Alternative, ...]:
    """Other words for a folded word, or for several with blanks between, the surest first.

    Found by the plural as well as by the singular; the word itself is not among them.
    """
    typed = tuple(words(word))
    for form in _forms(typed):
        found = _thesaurus().get(form)
        if found:
            ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
            return tuple(Alternative(*item) for item in ordered if item[0] not in (form, typed))[:MOST]
    return ()


def is_listed(word: str) -> bool:
    """Whether a folded word is in the list, in whatever place: then it is a word."""
    return any(form in _single_words() for form in _forms((word,)))


def _forms(typed: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words as they are, then with the last one in the singular, as English makes plurals."""
    yield typed
    if not typed:
        return
    last = typed[-1]
    for ending, replacement in (("ies", "y"), ("ves", "f"), ("es", ""), ("s", "")):
        if last.endswith(ending) and len(last) > len(ending) + 2:
            yield (*typed[:-1], last.removesuffix(ending) + replacement)


@cache
def _thesaurus() -> dict[tuple[str, ...], dict[tuple[str, ...], float]]:
    found: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}

    def add(word: tuple[str, ...], other: tuple[str, ...], weight: float) -> None:
        known = found.setdefault(word, {})
        if weight:
            known[other] = max(weight, known.get(other, 0.0))

    for head, relation, others in _lines():
        there, back = _WEIGHTS[relation]
        for other in others:
            add(head, other, there)
            add(other, head, back)
            for third in others if relation == "=" else ():
                if third != other:
                    add(other, third, SAME)
    return found


@cache
def _single_words() -> frozenset[tuple[str, ...]]:
    return frozenset((word,) for phrase in _thesaurus() for word in phrase)


def _lines() -> Iterator[tuple[tuple[str, ...], str, list[tuple[str, ...]]]]:
    """Of every line the head word with one relation and the words that stand in it."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        head, *parts = _PARTS.split(line.partition("#")[0])
        relations = zip(parts[::2], parts[1::2], strict=True)
        for relation, listed in relations:
            yield _head(head), relation, [tuple(words(other)) for other in listed.split(",") if words(other)]


def _head(text: str) -> tuple[str, ...]:
    typed = tuple(words(text))
    return typed[:-1] if len(typed) > 1 and typed[-1] in _MEANINGS else typed
