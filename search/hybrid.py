"""The door of search: ``search(query, user)`` ranks by words and by meaning in one statement and says why.

    words     photos whose document has all words, by ts_rank_cd
    meaning   photos near to the text (or to a picture, or to both) in an image space, as far as they stand
              clear (search.semantics); with LOCAL_CROPS the nearest ones are ranked anew, by their best part
    fused     Σ weight / (60 + rank) over both (reciprocal rank fusion: Cormack, Clarke, Büttcher, SIGIR 2009)

A query without free text and without a picture has nothing to rank by: its photos come by their date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from library.models import PhotoQuerySet
from search import filters, semantics
from search.expansion import expanded
from search.explain import explain
from search.filters import Eligible
from search.query import Atom, Clause, Group, SearchQuery, Term
from search.ranking import WINDOW, Ranked, Ranking, Words, chosen, ranked
from search.results import Hit, Mode, Notice, Picture, SearchResult, Sort, Why
from search.text import phrase
from search.trace import Trace

__all__ = ["BROWSE_WINDOW", "WINDOW", "search", "words_of"]

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

BROWSE_WINDOW: Final = 100_000
"""How many photos can be paged through that come by their date."""


def search(
    query: SearchQuery,
    user: AbstractBaseUser | AnonymousUser,
    *,
    mode: Mode = "hybrid",
    sort: Sort = "relevance",
    picture: Picture | None = None,
    weaker: bool = False,
    limit: int = 50,
    offset: int = 0,
    reasons: bool = True,
    trace: Trace | None = None,
) -> SearchResult:
    """One page of what this user may find, in a stable order: best first, or by date.

    By date means the best ``WINDOW`` hits, then sorted. ``weaker`` adds what is similar, but not clearly so.
    Without ``reasons`` the hits carry their ranks only; ``with_reasons`` adds the rest to some of them.
    The number of queries does not depend on the number of hits. Never raises for what was typed.
    """
    trace = trace or Trace()
    query = expanded(query)
    with trace.stage("filters"):
        allowed = filters.eligible(query, user)
        if picture is not None and picture.without:
            allowed = replace(allowed, photos=allowed.photos.exclude(pk__in=picture.without))
    notices: list[Notice] = []
    if query.ranking or picture is not None:
        window = WINDOW
        ranking = _ranking(query, allowed, mode, picture, notices, trace)
        ranking = replace(ranking, sort=sort, weaker=weaker)
        trace.ranking = ranking
        with trace.stage("ranking"):
            found = ranked(ranking, limit=max(0, min(limit, window - offset)), offset=offset)
    else:
        window = BROWSE_WINDOW
        with trace.stage("by date"):
            found = _by_date(allowed.photos, sort, max(0, min(limit, window - offset)), offset)
    with trace.stage("reasons"):
        hits = with_reasons(found.hits, query, allowed.hidden_roots) if reasons else tuple(found.hits)
    said = (*map(Notice, (*query.hints, *allowed.notices)), *notices)
    return SearchResult(query, mode, hits, found.total, said, sort, found.weaker, window)


def with_reasons(hits: Sequence[Hit], query: SearchQuery, hidden_roots: Sequence[int]) -> tuple[Hit, ...]:
    """The hits with what matched; those whose photo is gone are left out."""
    reasons = explain([hit.photo_id for hit in hits], query, hidden_roots)
    return tuple(
        replace(hit, why=replace(reasons[hit.photo_id], **_ranks(hit.why)))
        for hit in hits
        if hit.photo_id in reasons
    )


def _ranks(why: Why) -> dict[str, Any]:
    names = ("keyword_rank", "semantic_rank", "similarity", "strength")
    return {name: getattr(why, name) for name in names}


def _by_date(photos: PhotoQuerySet, sort: Sort, limit: int, offset: int) -> Ranked:
    order = ("taken_local", "pk") if sort == "oldest" else ("-taken_local", "-pk")
    ordered = photos.order_by(*order).values_list("pk", flat=True)
    page = list(ordered[offset : offset + limit])
    total = photos.order_by()[:BROWSE_WINDOW].count()
    return Ranked([Hit(pk, 0.0, Why()) for pk in page], total)


def _ranking(
    query: SearchQuery,
    allowed: Eligible,
    mode: Mode,
    picture: Picture | None,
    notices: list[Notice],
    trace: Trace,
) -> Ranking:
    """What to rank by; why a side is off goes to ``notices``."""
    words = words_of(query.ranking) if mode != "semantic" and query.ranking else None
    ranking = Ranking(allowed.photos, words, hidden_roots=allowed.hidden_roots)
    if mode == "keyword" and picture is None:
        return ranking
    with trace.stage("text and picture to a vector"):
        meaning, notice = semantics.understand(query.description, picture)
    notices += [notice] if notice else []
    with trace.stage("estimate"):
        return chosen(replace(ranking, meaning=meaning))


def words_of(clauses: tuple[Clause, ...]) -> Words:
    """Free text as texts of a ``tsquery``: every clause, by one of its alternatives."""
    typed, wider = (_all(clauses, expanded=expanded) for expanded in (False, True))
    return Words(typed, wider, max(_weights(clauses), default=0.0))


def _weights(clauses: tuple[Clause, ...]) -> Iterator[float]:
    for clause in clauses:
        for atom in clause.leaves():
            if isinstance(atom, Term):
                yield from (other.weight for other in atom.expanded)


def _all(clauses: tuple[Clause, ...], *, expanded: bool) -> str:
    return " & ".join(f"({_any(clause, expanded=expanded)})" for clause in clauses)


def _any(clause: Clause, *, expanded: bool) -> str:
    return " | ".join(f"({_one(atom, expanded=expanded)})" for atom in clause.alternatives)


def _one(atom: Atom, *, expanded: bool) -> str:
    if isinstance(atom, Group):
        return _all(atom.clauses, expanded=expanded)
    others = atom.expanded if isinstance(atom, Term) and expanded else ()
    return " | ".join([phrase(atom.words), *(f"({phrase(other.words)})" for other in others)])
