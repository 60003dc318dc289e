"""People, places, dates and categories in plain words → the fields they stand for. Pure.

    Mum at the beach summer 2019     →  person:Mum  "at the beach"  date:2019-06..2019-08

What is recognised keeps the words it was typed in (``Clause.typed``). Words in quotes are never looked at:
quoting is how to say that the words are meant. The longest reading wins; of equally long ones a date, then a
person, a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from search.query.moments import Now, read_moment
from search.query.parser import fitted
from search.query.syntax import Clause, Field, SearchQuery, Term

MAX_WORDS: Final = 6
"""Words of a name that are looked for."""

Names = Mapping[tuple[str, ...], str]
"""Folded words to the value of the field."""

#: Names that are mostly words in lower case: a rose is a flower, Rose may be somebody.
_ALSO_WORDS: Final = """
    amber angel april art august autumn baby bar bath battle bill buffalo candy cherry china cliff coral
    cork crystal daisy dale dawn deal eagle essen faith forest frank ginger grace guy heather holly hope
    hull hunter iris ivy jack jade jasmine jersey joy june king lens lily male mark may mobile most nice
    olive orange pearl penny phoenix prince reading reed river robin rock rose rosemary ruby rugby sale
    sandwich sandy sky split spring star stone summer sunny tours turkey van violet wells will winter worms
"""
_WORDS_TOO: Final = frozenset(_ALSO_WORDS.split())
#: Between what is recognised, and before it, these say nothing more.
_BEFORE: Final[Mapping[str, frozenset[str]]] = {
    "person": frozenset(("with", "of", "by")),
    "place": frozenset(("in", "at", "from", "of", "near")),
    "category": frozenset(("of",)),
}
_ABOUT_PHOTOS: Final = frozenset(("photo", "photos", "picture", "pictures", "pic", "pics", "image", "images"))
_YEARS: Final = re.compile(r"(\d{4})[-–](\d{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that this user may know of, as far as the query could mean them, and what day it is."""

    today: date
    people: Names = field(default_factory=dict)
    places: Names = field(default_factory=dict)
    categories: Names = field(default_factory=dict)
    southern: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    """One plain word as it was typed, with its folded words."""

    clause: Clause
    text: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """So many tokens mean this."""

    length: int
    field: Field


def recognise(query: SearchQuery, vocabulary: Vocabulary) -> SearchQuery:
    """The query with what was recognised as fields. Doing it again changes nothing."""
    clauses: list[Clause] = []
    run: list[_Token] = []
    for clause in query.clauses:
        if (token := _token(clause)) is not None:
            run.append(token)
            continue
        clauses += [*_recognised(run, vocabulary), _named(clause, vocabulary)]
        run = []
    clauses += _recognised(run, vocabulary)
    return fitted(replace(query, clauses=_with_category(clauses, vocabulary.categories)))


def spoken(query: SearchQuery) -> list[tuple[str, ...]]:
    """Every row of plain words a name could be part of: what a vocabulary has to be made for."""
    found: list[list[str]] = [[]]
    for clause in query.clauses:
        if (token := _token(clause)) is not None:
            found[-1].extend(token.words)
        else:
            found += [[*term.words] for term in _terms(clause)]
            found.append([])
    return [tuple(row) for row in found if row]


def _terms(clause: Clause) -> Iterator[Term]:
    yield from (atom for atom in clause.alternatives if isinstance(atom, Term) and not atom.quoted)


def _token(clause: Clause) -> _Token | None:
    only = clause.alternatives[0]
    if clause.negated or len(clause.alternatives) > 1 or not isinstance(only, Term) or only.quoted:
        return None
    years = _YEARS.fullmatch(only.text.strip(",.;"))
    return _Token(clause, only.text, (years[1], "to", years[2]) if years else tuple(only.words))


def _named(clause: Clause, vocabulary: Vocabulary) -> Clause:
    """``mum or dad`` and ``-mum`` mean people when every one of them does; the same for places."""
    terms = list(_terms(clause))
    if clause.recognised or len(terms) < len(clause.alternatives):
        return clause
    for name, names in (("person", vocabulary.people), ("place", vocabulary.places)):
        found = [_of(name, names, term.text, tuple(term.words)) for term in terms]
        fields = tuple(each for each in found if each is not None)
        if len(fields) == len(terms):
            return replace(clause, alternatives=fields, typed=str(clause))
    return clause


def _recognised(run: Sequence[_Token], vocabulary: Vocabulary) -> list[Clause]:
    clauses: list[Clause] = []
    now = Now(vocabulary.today, vocabulary.southern)
    at = 0
    while at < len(run):
        reading = _longest(run, at, vocabulary, now)
        if reading is None:
            clauses.append(run[at].clause)
            at += 1
            continue
        typed = [token.text for token in run[at : at + reading.length]]
        typed = [*_taken_along(clauses, reading.field.name), *typed]
        clauses.append(Clause((reading.field,), typed=" ".join(typed)))
        at += reading.length
    return clauses


def _taken_along(clauses: list[Clause], name: str) -> list[str]:
    """The words right before that say nothing more: "with" Mum, "photos of" Mum, Mum "and" Dad."""
    taken: list[str] = []
    before = _last_word(clauses)
    joined = before == "and" and len(clauses) > 1 and clauses[-2].recognised
    if joined or before in _BEFORE.get(name, ()):
        taken.insert(0, str(clauses.pop()))
    if len(clauses) == 1 and _last_word(clauses) in _ABOUT_PHOTOS:
        taken.insert(0, str(clauses.pop()))
    return taken


def _last_word(clauses: Sequence[Clause]) -> str:
    token = _token(clauses[-1]) if clauses and not clauses[-1].recognised else None
    return token.words[0] if token is not None and len(token.words) == 1 else ""


def _longest(run: Sequence[_Token], at: int, vocabulary: Vocabulary, now: Now) -> _Reading | None:
    moment = _moment(run, at, now)
    name = _longest_name(run, at, vocabulary)
    if moment is None or (name is not None and name.length > moment.length):
        return name
    return moment


def _moment(run: Sequence[_Token], at: int, now: Now) -> _Reading | None:
    text = " ".join(word for token in run[at:] for word in token.words)
    moment = read_moment(text, 0, now)
    if moment is None:
        return None
    length = end = 0
    for length, token in enumerate(run[at:], 1):  # noqa: B007 - used after the loop
        end += len(" ".join(token.words)) + 1
        if end > moment.end:
            break
    return _Reading(length, Field(moment.field, moment.value)) if end == moment.end + 1 else None


def _longest_name(run: Sequence[_Token], at: int, vocabulary: Vocabulary) -> _Reading | None:
    for length in range(min(MAX_WORDS, len(run) - at), 0, -1):
        tokens = run[at : at + length]
        folded = tuple(word for token in tokens for word in token.words)
        for name, names in (("person", vocabulary.people), ("place", vocabulary.places)):
            found = _of(name, names, tokens[0].text, folded)
            if found is not None:
                return _Reading(length, found)
    return None


def _of(name: str, names: Names, typed: str, folded: tuple[str, ...]) -> Field | None:
    value = names.get(folded)
    if value is None or (len(folded) == 1 and folded[0] in _WORDS_TOO and not typed[:1].isupper()):
        return None
    return Field(name, value)


def _with_category(clauses: list[Clause], categories: Names) -> tuple[Clause, ...]:
    """A category, when it is all that is left of the plain words: "food 2019", but not "dog food 2019"."""
    tokens = [token for clause in clauses if (token := _token(clause)) is not None]
    folded = tuple(word for token in tokens for word in token.words)
    free = [clause for clause in clauses if clause.is_free_text]
    value = categories.get(folded)
    if value is None or len(free) != len(tokens):
        return tuple(clauses)
    typed = " ".join(token.text for token in tokens)
    first = clauses.index(tokens[0].clause)
    category = Clause((Field("category", value),), typed=typed)
    rest = [clause for clause in clauses[first:] if not clause.is_free_text]
    return (*clauses[:first], category, *rest)


def candidates(rows: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Every name that could stand in these rows of words."""
    return {
        row[start : start + length]
        for row in rows
        for start in range(len(row))
        for length in range(1, min(MAX_WORDS, len(row) - start) + 1)
    }
