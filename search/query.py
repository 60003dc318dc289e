"""What was typed → a frozen ``SearchQuery``. Pure: no database, and no text at all makes it raise.

    sunset beach            both words
    "happy birthday"        exactly these words in this order
    -blurry                 not this word
    cat or dog              one of the two; ``or`` joins its neighbours, before anything else
    tag:cat text:"vet bill" category:food camera:pixel type:raw person:anna
    year:2019 after:2019-05 before:2020      from the start of May 2019, up to the end of 2019

A field that is not known, or whose value cannot be used, is searched as plain words, with a hint.
``str(query)`` prints the query back; parsing that gives the same query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from search.text import clean, words

MAX_LENGTH = 500
"""Characters of a query that are read."""

FIELDS = ("tag", "text", "category", "camera", "type", "before", "after", "year", "person", "album")
DATE_FIELDS = ("before", "after", "year")

_TOKEN = re.compile(
    r"""\ *(?:
        (?P<minus>-(?=[^\ ]))?
        (?: (?P<field>[A-Za-z]+):(?:"(?P<quoted>[^"]*)"?|(?P<value>[^\ "]+))
          | "(?P<phrase>[^"]*)"?
          | (?P<word>[^\ "]+) )
    )""",
    re.VERBOSE,
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_OR = ("or", "|")
_DATE = re.compile(r"(\d{4})(?:[-./](\d{1,2})(?:[-./](\d{1,2}))?)?")


@dataclass(frozen=True, slots=True)
class Term:
    """Free text: a word, or a phrase whose words follow one another."""

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        return f'"{self.text}"' if self.quoted else self.text

    @property
    def words(self) -> list[str]:
        """The folded words, never empty. An unquoted term can have several (``vet-bill``)."""
        return words(self.text)


@dataclass(frozen=True, slots=True)
class Field:
    """``name:value`` with a known name and a value that can be used."""

    name: str
    value: str

    def __str__(self) -> str:
        return f'{self.name}:"{self.value}"' if " " in self.value else f"{self.name}:{self.value}"

    @property
    def words(self) -> list[str]:
        """The folded words of the value."""
        return words(self.value)

    @property
    def period(self) -> tuple[datetime, datetime]:
        """For a date: its first moment and the first moment after it."""
        found = period(self.value)
        if found is None:
            raise ValueError(f"{self.name}:{self.value} is no date")
        return found


Atom = Term | Field


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the alternatives must hold, or with ``negated`` (a single one) must not."""

    alternatives: tuple[Atom, ...]
    negated: bool = False

    def __str__(self) -> str:
        return ("-" if self.negated else "") + " or ".join(map(str, self.alternatives))

    @property
    def is_free_text(self) -> bool:
        """Whether the clause ranks photos; every other clause only decides which are eligible."""
        return not self.negated and all(isinstance(atom, Term) for atom in self.alternatives)

    @property
    def is_literal(self) -> bool:
        """Whether only quoted words are asked for: they rank, and every hit has to have them."""
        return self.is_free_text and all(isinstance(atom, Term) and atom.quoted for atom in self.alternatives)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """All clauses must hold. ``hints`` say what was not understood as it may have been meant."""

    clauses: tuple[Clause, ...] = ()
    hints: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return " ".join(map(str, self.clauses))

    @property
    def free_text(self) -> tuple[Clause, ...]:
        """The clauses that rank."""
        return tuple(clause for clause in self.clauses if clause.is_free_text)

    @property
    def filters(self) -> tuple[Clause, ...]:
        """The clauses that decide which photos are eligible."""
        return tuple(clause for clause in self.clauses if clause.is_literal or not clause.is_free_text)

    @property
    def description(self) -> str:
        """The free text as one sentence, for an embedder."""
        return " ".join(
            " or ".join(atom.text for atom in clause.alternatives if isinstance(atom, Term))
            for clause in self.free_text
        )

    def without(self, clause: Clause) -> SearchQuery:
        """The same query without one of its clauses."""
        return SearchQuery(tuple(other for other in self.clauses if other != clause))


def parse(text: str) -> SearchQuery:
    """Read what a person typed. Never raises."""
    hints: list[str] = []
    cleaned = clean(text).translate(_QUOTES)
    if len(cleaned) > MAX_LENGTH:
        hints.append(f"Only the first {MAX_LENGTH} characters were read.")
    clauses: list[Clause] = []
    joining = False
    for negated, atom in _atoms(cleaned[:MAX_LENGTH], hints):
        if atom is None:
            joining = bool(clauses)
        elif joining and not negated and not clauses[-1].negated:
            clauses[-1] = Clause((*clauses[-1].alternatives, atom))
            joining = False
        else:
            clauses.append(Clause((atom,), negated=negated))
            joining = False
    return SearchQuery(tuple(clauses), tuple(dict.fromkeys(hints)))


def _atoms(text: str, hints: list[str]) -> Iterator[tuple[bool, Atom | None]]:
    """Every atom with whether it is negated; None stands for ``or``."""
    for match in _TOKEN.finditer(text.strip()):
        atom = _atom(match, hints)
        if isinstance(atom, Term) and not atom.quoted and atom.text.casefold() in _OR and not match["minus"]:
            yield False, None
        elif isinstance(atom, Field) or atom.words:
            yield match["minus"] is not None, atom


def _atom(match: re.Match[str], hints: list[str]) -> Atom:
    if match["word"] is not None:
        return Term(match["word"])
    if match["phrase"] is not None:
        return Term(" ".join(match["phrase"].split()), quoted=True)
    name = match["field"].casefold()
    value = match["value"] if match["value"] is not None else " ".join(match["quoted"].split())
    problem = _problem(name, value)
    if not problem:
        return Field(name, value)
    hints.append(problem)
    typed = f"{match['field']}:{value}"
    return Term(typed, quoted=" " in typed)


def _problem(name: str, value: str) -> str:
    """Why this cannot be a field; empty when it can."""
    if name not in FIELDS:
        return f"“{name}:” is not a field; it was searched as words. Fields are {', '.join(FIELDS)}."
    if not words(value):
        return f"“{name}:” needs a value, such as {name}:{'2019' if name in DATE_FIELDS else 'word'}."
    if name in DATE_FIELDS and period(value) is None:
        return f"“{name}:{value}” is no date; write {name}:2019, {name}:2019-05 or {name}:2019-05-31."
    return ""


def period(value: str) -> tuple[datetime, datetime] | None:
    """A year, a month or a day as its first moment and the first one after it; None for anything else.

    The moments are on the clock of the wall, which ``Photo.taken_local`` holds as if it were UTC.
    """
    match = _DATE.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        if day:
            return start, datetime.fromordinal(start.toordinal() + 1).replace(tzinfo=UTC)
        if month:
            return start, datetime(start.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return start, datetime(start.year + 1, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
