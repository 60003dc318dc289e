"""What filters a search, as chips that can be taken away: pure values for templates and the API."""

from __future__ import annotations

from dataclasses import dataclass

from search.query import Clause, Field, SearchQuery, Term


@dataclass(frozen=True, slots=True)
class Chip:
    """One clause that decides which photos are eligible.

    ``text`` is how it was typed, ``meaning`` how it is understood, ``kind`` its field ("person", "date" …) or
    "words". ``without`` is the text of the query without it, and ``as_words`` with its words in quotes, for
    when the words were meant; empty for what was not recognised but typed as a field.
    """

    text: str
    meaning: str
    kind: str
    negated: bool
    recognised: bool
    without: str
    as_words: str


def chips(query: SearchQuery) -> tuple[Chip, ...]:
    """One chip for every filter, in the order of the text."""
    return tuple(_chip(query, clause) for clause in query.filters)


def _chip(query: SearchQuery, clause: Clause) -> Chip:
    names = {atom.name if isinstance(atom, Field) else "words" for atom in clause.alternatives}
    return Chip(
        text=clause.as_typed,
        meaning=str(clause),
        kind=names.pop() if len(names) == 1 else "words",
        negated=clause.negated,
        recognised=clause.recognised,
        without=query.without(clause).as_typed,
        as_words=query.replaced(clause, _quoted(clause)).as_typed if clause.recognised else "",
    )


def _quoted(clause: Clause) -> Clause:
    words = clause.typed.removeprefix("-")
    return Clause((Term(words, quoted=True),), negated=clause.negated)
