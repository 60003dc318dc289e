"""How many photos have which property: the numbers beside the filters.

Counted is the set that can be paged through: without free text all photos the query finds, with free text
the ranked hits, at most ``hybrid.WINDOW``. A facet whose values are alternatives is counted as if nothing of
it were chosen, so that the other values show what choosing them would bring; where every choice narrows
(``has:``, ``is:``, people who must all be there), the numbers are those of the present results.

One statement counts every facet of one set (``sql/facets.sql``). The facets the query does not restrict share
the set of its results; each that it does restrict has its own. So the number of statements grows with the
facets in use, never with the photos.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from library.access import hidden_roots
from people.finding import people_by_photo
from search import filters, refine
from search.caching import cached
from search.found import Asked, photo_ids
from search.measures import SQUARE
from search.query import SearchQuery
from search.refine import FACETS

if TYPE_CHECKING:
    from search.found import User

Counts = Mapping[str, Mapping[str, int]]
"""By facet and value."""


def counted(asked: Asked, query: SearchQuery, user: User) -> Counts:
    """All counts; ``single`` is the total with nearly identical photos one by one.

    Remembered until something changes.
    """
    key = ("facets", str(query), *sorted(asked.parameters.items()))
    return cached(key, user, lambda: _counted(asked, query, user))


def _counted(asked: Asked, query: SearchQuery, user: User) -> Counts:
    count = _Counting(asked, user, hidden_roots(user), chosen_folder(query))
    shared = ["total", "has", "is"]
    counts: dict[str, Mapping[str, int]] = defaultdict(dict)
    for wanted, without in _own_sets(query):
        if without == query:
            shared.append(wanted)
        else:
            counts.update(count(without, [wanted]))
    counts.update(count(query, shared))
    if not refine.chosen(query, FACETS["show"]):
        single = refine.choose(query, FACETS["show"], ["duplicates"])
        counts["single"] = count(single, ["total"]).get("total", {})
    return counts


def _own_sets(query: SearchQuery) -> Iterable[tuple[str, SearchQuery]]:
    """For every facet of alternatives, the query without what it restricts."""
    yield "month", refine.without_dates(query)
    for name in ("category", "camera", "format", "orientation", "size", "folder"):
        yield name, refine.without(query, FACETS[name])
    who = refine.people(query)
    yield "people", query if who.mode == "all" else refine.without_people(query)


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts sets of photos for one user; ``folder`` is the one whose children are counted."""

    asked: Asked
    user: User
    hidden_roots: list[int]
    folder: str

    def __call__(self, query: SearchQuery, wanted: list[str]) -> dict[str, dict[str, int]]:
        """The wanted facets of what the query finds, in one statement."""
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        try:
            eligible, parameters = self._set(query)
        except EmptyResultSet:  # Django's word for a condition that nothing can meet
            return counts
        named, more = people_by_photo().query.sql_with_params()
        statement = _template().format(eligible=eligible, named=named)
        folder = f"{self.folder}/" if self.folder else ""
        own = [wanted, self.hidden_roots, folder, self.user.pk, SQUARE]
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, *more, *own])
            for facet, value, number in cursor.fetchall():
                counts[facet][value] = number
        return counts

    def _set(self, query: SearchQuery) -> tuple[str, tuple[Any, ...]]:
        """SQL of the photos to count, and its parameters. Raises EmptyResultSet."""
        if self.asked.is_ranked(query):
            return "SELECT unnest(%s::bigint[])", (list(photo_ids(self.asked, self.user, query)),)
        return filters.eligible(query, self.user).photos.order_by().values("pk").query.sql_with_params()


@cache
def _template() -> str:
    text = (Path(__file__).parent / "sql" / "facets.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def chosen_folder(query: SearchQuery) -> str:
    """The one folder the query asks for; none when it asks for several."""
    found = refine.chosen(query, FACETS["folder"])
    return found[0].strip("/") if len(found) == 1 else ""
