"""What the filters beside the results say about a query, and the query after one of them was changed. Pure.

Each facet owns the clauses that consist of its fields alone; everything else in a query it leaves as it is.
Several values of one facet are alternatives (``category:food or category:pets``) or must all hold
(``has:gps has:faces``); people can be either, or be kept out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from search.query import Clause, Field, SearchQuery
from search.text import words

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet's name, the fields it owns, and whether several of its values are alternatives."""

    name: str
    fields: tuple[str, ...]
    alternatives: bool = True


FACETS: Final = {
    facet.name: facet
    for facet in (
        Facet("category", ("category",)),
        Facet("camera", ("camera",)),
        Facet("format", ("format",)),
        Facet("orientation", ("orientation",)),
        Facet("size", ("size",)),
        Facet("folder", ("folder",)),
        Facet("has", ("has",), alternatives=False),
        Facet("is", ("is",), alternatives=False),
        Facet("show", ("show",), alternatives=False),
    )
}
DATE_FIELDS: Final = ("date", "year", "after", "before")
PEOPLE_MODES: Final = ("all", "any", "none")


@dataclass(frozen=True, slots=True)
class People:
    """Whom the query names, and how: all of them, any of them, or none of them."""

    mode: str = "all"
    names: Values = ()


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment of a day to the last of another; None is open."""

    first: date | None = None
    last: date | None = None

    def __bool__(self) -> bool:
        return self.first is not None or self.last is not None

    @property
    def year(self) -> int | None:
        """The year in which all of it lies."""
        inside = self.first is not None and self.last is not None and self.first.year == self.last.year
        return self.first.year if inside and self.first else None


def chosen(query: SearchQuery, facet: Facet) -> Values:
    """The values of a facet that the query asks for."""
    return tuple(
        dict.fromkeys(
            atom.value
            for clause in query.clauses
            if not clause.negated and _owns(facet.fields, clause)
            for atom in clause.alternatives
            if isinstance(atom, Field)
        )
    )


def without(query: SearchQuery, facet: Facet) -> SearchQuery:
    """The query without what the facet asks."""
    return _keeping(query, lambda clause: clause.negated or not _owns(facet.fields, clause))


def choose(query: SearchQuery, facet: Facet, values: Iterable[str]) -> SearchQuery:
    """The query with exactly these values of a facet. With the same ones it stays word for word."""
    wanted = _cleaned(values)
    if sorted(map(words, wanted)) == sorted(map(words, chosen(query, facet))):
        return query
    fields = tuple(Field(facet.fields[0], value) for value in wanted)
    new = [Clause(fields)] if facet.alternatives and fields else [Clause((field,)) for field in fields]
    return _and(without(query, facet), new)


def people(query: SearchQuery) -> People:
    """The people the query names; when it names them in several ways, those that may be any come first."""
    by_mode: dict[str, list[str]] = {"any": [], "all": [], "none": []}
    for clause in query.clauses:
        if _owns(("person",), clause):
            by_mode[_mode(clause)] += [a.value for a in clause.alternatives if isinstance(a, Field)]
    mode = next((mode for mode, names in by_mode.items() if names), "all")
    return People(mode, tuple(dict.fromkeys(by_mode[mode])))


def without_people(query: SearchQuery) -> SearchQuery:
    """The query without the people that ``people`` gives; those named in another way stay."""
    mode = people(query).mode
    return _keeping(query, lambda clause: not (_owns(("person",), clause) and _mode(clause) == mode))


def choose_people(query: SearchQuery, wanted: People) -> SearchQuery:
    """The query with exactly these people in the place of those ``people`` gives."""
    now = people(query)
    names = _cleaned(wanted.names)
    if sorted(map(words, names)) == sorted(map(words, now.names)) and (wanted.mode == now.mode or not names):
        return query
    fields = [Field("person", name) for name in names]
    if wanted.mode == "any" and len(fields) > 1:
        return _and(without_people(query), [Clause(tuple(fields))])
    negated = wanted.mode == "none"
    return _and(without_people(query), [Clause((field,), negated=negated) for field in fields])


def period(query: SearchQuery) -> Period:
    """The days the query is limited to by its dates, as far as they are single and not negated."""
    first: date | None = None
    last: date | None = None
    for clause in query.clauses:
        if not _is_date(clause):
            continue
        (atom,) = clause.alternatives
        start, end = _bounds(atom) if isinstance(atom, Field) else (None, None)
        first = max(filter(None, (first, start)), default=None)
        last = min(filter(None, (last, end)), default=None)
    return Period(first, last)


def without_dates(query: SearchQuery) -> SearchQuery:
    """The query without the dates that ``period`` reads."""
    return _keeping(query, lambda clause: not _is_date(clause))


def choose_period(query: SearchQuery, wanted: Period) -> SearchQuery:
    """The query limited to these days. With the same ones it stays word for word."""
    if wanted == period(query):
        return query
    return _and(without_dates(query), [Clause((field,)) for field in _date_fields(wanted)])


def choose_date(query: SearchQuery, value: str) -> SearchQuery:
    """The query limited to a year (``2019``) or month (``2019-05``); none when empty."""
    name = "year" if len(value) == 4 else "date"
    return _and(without_dates(query), [Clause((Field(name, value),))] if value else [])


def _owns(fields: Sequence[str], clause: Clause) -> bool:
    return all(isinstance(atom, Field) and atom.name in fields for atom in clause.alternatives)


def _mode(clause: Clause) -> str:
    return "none" if clause.negated else "any" if len(clause.alternatives) > 1 else "all"


def _is_date(clause: Clause) -> bool:
    return not clause.negated and len(clause.alternatives) == 1 and _owns(DATE_FIELDS, clause)


def _bounds(field: Field) -> tuple[date | None, date | None]:
    start, end = field.period
    if field.name == "before":
        return None, _day_before(start)
    return start.date(), None if field.name == "after" else _day_before(end)


def _day_before(moment: datetime) -> date | None:
    return (moment - timedelta(days=1)).date() if moment > datetime(1, 1, 2, tzinfo=UTC) else None


def _date_fields(wanted: Period) -> list[Field]:
    first, last = wanted.first, wanted.last
    if first and last:
        if first == last:
            return [Field("date", first.isoformat())]
        return [Field("date", f"{first.isoformat()}..{last.isoformat()}")] if first < last else []
    if first:
        return [Field("after", first.isoformat())]
    if last and last < date.max:
        return [Field("before", (last + timedelta(days=1)).isoformat())]
    return []


def _keeping(query: SearchQuery, wanted: Callable[[Clause], bool]) -> SearchQuery:
    return SearchQuery(tuple(clause for clause in query.clauses if wanted(clause)))


def _and(query: SearchQuery, clauses: Iterable[Clause]) -> SearchQuery:
    return SearchQuery((*query.clauses, *clauses))


def _cleaned(values: Iterable[str]) -> list[str]:
    """Values that a query can hold: without quotes, each once."""
    plain = (" ".join(value.replace('"', " ").split()) for value in values)
    return list(dict.fromkeys(value for value in plain if value))
