"""The same query with other words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from search.query import Atom, Clause, Group, SearchQuery, Term

Change = Callable[[Term], Term]


def with_terms(query: SearchQuery, change: Change) -> SearchQuery:
    """Every free word that is asked for, changed. What is quoted or excluded stays as it is."""
    return replace(query, clauses=tuple(_clause(clause, change) for clause in query.clauses))


def _clause(clause: Clause, change: Change) -> Clause:
    if clause.negated:
        return clause
    return replace(clause, alternatives=tuple(_atom(atom, change) for atom in clause.alternatives))


def _atom(atom: Atom, change: Change) -> Atom:
    if isinstance(atom, Group):
        return Group(tuple(_clause(clause, change) for clause in atom.clauses))
    return change(atom) if isinstance(atom, Term) and not atom.quoted else atom
