"""What a query is made of: frozen values that print back as the text they stand for.

A query is a row of clauses that must all hold. A clause is one atom or several alternatives, and may be
negated; an atom is free text, a field with its value, or a group of clauses in parentheses. The parser keeps
to one form of everything: a group never stands where its clauses could stand themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from search.query import values
from search.text import words

_SPECIAL = frozenset(' ()"')


@dataclass(frozen=True, slots=True)
class Expansion:
    """Other words a word may stand for (a synonym, the right spelling), and how much they count, 0..1."""

    words: tuple[str, ...]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Term:
    """Free text: a word, or a phrase whose words follow one another.

    ``expanded`` is filled in after parsing, and never for quoted words.
    """

    text: str
    quoted: bool = False
    expanded: tuple[Expansion, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f'"{self.text}"' if self.quoted else self.text

    @property
    def words(self) -> list[str]:
        """The folded words, never empty. An unquoted term can have several (``vet-bill``)."""
        return words(self.text)

    @property
    def is_free_text(self) -> bool:
        """Always."""
        return True

    @property
    def is_literal(self) -> bool:
        """Whether it has to be there just so."""
        return self.quoted

    @property
    def description(self) -> str:
        """For an embedder."""
        return self.text


@dataclass(frozen=True, slots=True)
class Field:
    """``name:value`` with a known name and a value that can be used."""

    name: str
    value: str

    def __str__(self) -> str:
        return f'{self.name}:"{self.value}"' if _SPECIAL & set(self.value) else f"{self.name}:{self.value}"

    @property
    def words(self) -> list[str]:
        """The folded words of the value."""
        return words(self.value)

    @property
    def is_free_text(self) -> bool:
        """Never: it filters."""
        return False

    @property
    def is_literal(self) -> bool:
        """Never: it filters anyway."""
        return False

    @property
    def description(self) -> str:
        """Nothing: its value says little about what the picture shows."""
        return ""

    @property
    def period(self) -> tuple[datetime, datetime]:
        """For a date or a range of dates: its first moment and the first moment after it."""
        found = values.span(self.value)
        if found is None:
            raise ValueError(f"{self.name}:{self.value} is no date")
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Clauses in parentheses, as one alternative among others or negated as a whole."""

    clauses: tuple[Clause, ...]

    def __str__(self) -> str:
        return f"({' '.join(map(str, self.clauses))})"

    @property
    def words(self) -> list[str]:
        """All words of its atoms that are looked for."""
        return [word for clause in self.clauses for atom in clause.leaves() for word in atom.words]

    @property
    def is_free_text(self) -> bool:
        """Whether it is free text throughout."""
        return all(clause.is_free_text for clause in self.clauses)

    @property
    def is_literal(self) -> bool:
        """Whether all of it has to be there just so."""
        return all(clause.is_literal for clause in self.clauses)

    @property
    def description(self) -> str:
        """For an embedder."""
        return " ".join(filter(None, (clause.description for clause in self.clauses)))


Atom = Term | Field | Group


@dataclass(frozen=True, slots=True)
class Clause:
    """One of the alternatives must hold, or with ``negated`` none of them.

    ``typed`` are the words in which a clause was recognised ("summer 2019"); empty for one that was typed as
    it stands.
    """

    alternatives: tuple[Atom, ...]
    negated: bool = False
    typed: str = field(default="", compare=False)

    def __str__(self) -> str:
        if not self.negated:
            return " or ".join(map(str, self.alternatives))
        inner = " or ".join(map(str, self.alternatives))
        return f"-({inner})" if len(self.alternatives) > 1 else f"-{inner}"

    @property
    def recognised(self) -> bool:
        """Whether it was recognised in plain words."""
        return bool(self.typed)

    @property
    def names_category(self) -> bool:
        """Whether a category was recognised in it."""
        only = self.alternatives[0]
        return self.recognised and isinstance(only, Field) and only.name == "category"

    @property
    def as_typed(self) -> str:
        """The clause as it was typed."""
        return self.typed or str(self)

    def leaves(self) -> Iterator[Term | Field]:
        """Every term and field that is asked for, those in groups, too; nothing that is negated."""
        for atom in self.alternatives if not self.negated else ():
            if isinstance(atom, Group):
                for clause in atom.clauses:
                    yield from clause.leaves()
            else:
                yield atom

    @property
    def is_free_text(self) -> bool:
        """Whether the clause ranks photos; every other clause only decides which are eligible."""
        return not self.negated and all(atom.is_free_text for atom in self.alternatives)

    @property
    def is_literal(self) -> bool:
        """Whether only quoted words are asked for: they rank, and every hit has to have them."""
        return self.is_free_text and all(atom.is_literal for atom in self.alternatives)

    @property
    def description(self) -> str:
        """What it says about the picture, for an embedder."""
        if not self.is_free_text:
            return ""
        return " or ".join(filter(None, (atom.description for atom in self.alternatives)))


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """All clauses must hold. ``hints`` say what was not understood as it may have been meant."""

    clauses: tuple[Clause, ...] = ()
    hints: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return " ".join(map(str, self.clauses))

    @property
    def as_typed(self) -> str:
        """Like ``str``, but what was recognised in plain words stays in plain words.

        So "yesterday" in a text that is kept goes on meaning the day before.
        """
        return " ".join(clause.as_typed for clause in self.clauses)

    @property
    def free_text(self) -> tuple[Clause, ...]:
        """The clauses that rank."""
        return tuple(clause for clause in self.clauses if clause.is_free_text)

    @property
    def ranking(self) -> tuple[Clause, ...]:
        """The clauses to rank by: the free text, or else the words of recognised categories.

        A category is asked for in words, too, so these put its photos in order.
        """
        if self.free_text:
            return self.free_text
        return tuple(Clause((Term(clause.typed),)) for clause in self.clauses if clause.names_category)

    @property
    def filters(self) -> tuple[Clause, ...]:
        """The clauses that decide which photos are eligible."""
        return tuple(clause for clause in self.clauses if clause.is_literal or not clause.is_free_text)

    @property
    def description(self) -> str:
        """The free text as one sentence, for an embedder."""
        return " ".join(filter(None, (clause.description for clause in self.ranking)))

    def without(self, clause: Clause) -> SearchQuery:
        """The same query without one of its clauses."""
        return SearchQuery(tuple(other for other in self.clauses if other != clause))

    def replaced(self, clause: Clause, other: Clause) -> SearchQuery:
        """The same query with another clause in the place of one of its clauses."""
        return SearchQuery(tuple(other if each == clause else each for each in self.clauses))
