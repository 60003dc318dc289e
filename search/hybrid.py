"""The door of search: ``search(query, user)`` ranks by words and by meaning in one statement and says why.

    words     photos whose document has all words, by ts_rank_cd
    meaning   photos near to the text in the active image space, as far as they stand clear
              (search.semantics); with LOCAL_CROPS the nearest ones are ranked anew, by their best part, too
    fused     Σ 1 / (60 + rank) over both (reciprocal rank fusion: Cormack, Clarke, Büttcher, SIGIR 2009)

A query without free text has nothing to rank by: its photos come newest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from pgvector import HalfVector, Vector

from library.models import PhotoQuerySet
from search import filters, semantics, vector_indexes
from search.explain import explain
from search.filters import Eligible
from search.query import Atom, Clause, Group, SearchQuery
from search.results import Hit, Mode, Notice, SearchResult, Why
from search.semantics import Meaning
from search.text import phrase

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

WINDOW: Final = 500
"""How many hits can be paged through."""

CANDIDATES: Final = 200
"""How many photos at most are found by meaning."""

RRF_K: Final = 60

EXACT_LIMIT: Final = 20_000
"""Up to so many eligible photos every distance is computed; above, the HNSW index answers if there is one."""

EF_SEARCH: Final = 100


@dataclass(frozen=True, slots=True)
class _Ranking:
    """What one side or the other ranks by; a side that is off has None.

    Names count only for photos without a file in ``hidden_roots``.
    """

    words: str | None
    meaning: Meaning | None
    photos: int = 0
    approximate: bool = False
    hidden_roots: tuple[int, ...] = ()


def search(
    query: SearchQuery,
    user: AbstractBaseUser | AnonymousUser,
    *,
    mode: Mode = "hybrid",
    limit: int = 50,
    offset: int = 0,
) -> SearchResult:
    """One page of what this user may find, best first, in a stable order.

    The number of queries does not depend on the number of hits. Never raises for what was typed.
    """
    allowed = filters.eligible(query, user)
    limit = max(0, min(limit, WINDOW - offset))
    if not query.free_text:
        hits, total = _newest(allowed.photos, limit, offset)
        notices: tuple[Notice, ...] = ()
    else:
        ranking, notices = _ranking(query, allowed, mode)
        hits, total = _ranked(ranking, allowed.photos, limit, offset)
    reasons = explain([hit.photo_id for hit in hits], query, allowed.hidden_roots)
    hits = [
        replace(hit, why=replace(reasons[hit.photo_id], **_ranks(hit.why)))
        for hit in hits
        if hit.photo_id in reasons
    ]
    said = (*map(Notice, (*query.hints, *allowed.notices)), *notices)
    return SearchResult(query, mode, tuple(hits), total, said)


def _ranks(why: Why) -> dict[str, Any]:
    names = ("keyword_rank", "semantic_rank", "similarity", "strength")
    return {name: getattr(why, name) for name in names}


def _newest(photos: PhotoQuerySet, limit: int, offset: int) -> tuple[list[Hit], int]:
    newest = photos.newest_first().values_list("pk", flat=True)[:WINDOW]
    page = list(newest[offset : offset + limit])
    return [Hit(pk, 0.0, Why()) for pk in page], newest.count()


def _ranking(query: SearchQuery, allowed: Eligible, mode: Mode) -> tuple[_Ranking, tuple[Notice, ...]]:
    text = words_query(query.free_text) if mode != "semantic" else None
    by_words = _Ranking(text, None, hidden_roots=allowed.hidden_roots)
    if mode == "keyword":
        return by_words, ()
    meaning = semantics.understand(query.description)
    if isinstance(meaning, Notice):
        return by_words, (meaning,)
    count = allowed.photos.order_by()[: EXACT_LIMIT + 1].count()
    approximate = count > EXACT_LIMIT and vector_indexes.is_indexed(meaning.space_id)
    return replace(by_words, meaning=meaning, photos=count, approximate=approximate), ()


def words_query(clauses: tuple[Clause, ...]) -> str:
    """Free text as the text of a ``tsquery``: every clause, by one of its alternatives."""
    return " & ".join(f"({_alternatives(clause)})" for clause in clauses)


def _alternatives(clause: Clause) -> str:
    return " | ".join(f"({_words_of(atom)})" for atom in clause.alternatives)


def _words_of(atom: Atom) -> str:
    return words_query(atom.clauses) if isinstance(atom, Group) else phrase(atom.words)


def _ranked(ranking: _Ranking, photos: PhotoQuerySet, limit: int, offset: int) -> tuple[list[Hit], int]:
    try:
        statement, parameters = _statement(ranking, photos)
    except EmptyResultSet:  # Django's word for a condition that nothing can meet
        return [], 0
    parameters |= {"size": limit, "start": offset}
    with _index_settings(ranking), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    hits = [
        Hit(pk, score, Why(keyword_rank=keyword, semantic_rank=semantic, similarity=near, strength=strength))
        for pk, score, keyword, semantic, near, strength, _ in rows
    ]
    return hits, rows[0][-1] if rows else 0


def _index_settings(ranking: _Ranking) -> AbstractContextManager[None]:
    return _iterative_scan() if ranking.approximate else nullcontext()


class _iterative_scan(AbstractContextManager[None]):  # noqa: N801 - reads as a function
    """Until the end of the block HNSW goes on scanning until enough eligible photos were found."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {EF_SEARCH:d}"
            )

    def __exit__(self, *error: Any) -> None:
        self._atomic.__exit__(*error)


@cache
def _template() -> str:
    text = (Path(__file__).parent / "sql" / "hybrid.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _statement(ranking: _Ranking, photos: PhotoQuerySet) -> tuple[str, dict[str, Any]]:
    """The statement and its parameters, all but the page's. Raises EmptyResultSet."""
    eligible, parameters = _named(*photos.order_by().values("pk").query.sql_with_params())
    meaning = ranking.meaning
    statement = _template().format(
        eligible=eligible,
        distance=_distance(meaning, approximate=ranking.approximate),
        crop_distance=_crop_distance(meaning),
        space=meaning.space_id if meaning else 0,
    )
    return statement, {
        **parameters,
        "by_words": ranking.words is not None,
        "words": ranking.words or "",
        "hidden_roots": list(ranking.hidden_roots),
        "by_meaning": meaning is not None,
        "by_crops": meaning is not None and meaning.crops,
        "crop_weight": semantics.CROP_WEIGHT,
        "vector": _literal(meaning, approximate=ranking.approximate),
        "gate": meaning.scale.gate(ranking.photos) if meaning else 1.0,
        "floor": meaning.scale.floor if meaning else 1.0,
        "centre": meaning.scale.centre if meaning else 0.0,
        "candidates": CANDIDATES,
        "window": WINDOW,
        "k": RRF_K,
    }


def _distance(meaning: Meaning | None, *, approximate: bool) -> str:
    if meaning is None:
        return "NULL::float8"
    kind = "halfvec" if approximate else "vector"
    column = vector_indexes.expression("e.vector", meaning.dimensions, kind)
    return f"({column} <=> %(vector)s::{kind}({meaning.dimensions:d}))"


def _crop_distance(meaning: Meaning | None) -> str:
    if meaning is None:
        return "NULL::float8"
    column = vector_indexes.expression("c.vector", meaning.dimensions, "vector")
    return f"({column} <=> %(vector)s::vector({meaning.dimensions:d}))"


def _literal(meaning: Meaning | None, *, approximate: bool) -> str | None:
    if meaning is None:
        return None
    return HalfVector(meaning.vector).to_text() if approximate else Vector(meaning.vector).to_text()


def _named(statement: str, values: tuple[Any, ...]) -> tuple[str, Mapping[str, Any]]:
    """A statement of Django's with names for its parameters, to be put into ours."""
    names = iter(f"eligible_{number}" for number in range(len(values)))
    named = re.sub(r"%(%|s)", lambda match: "%%" if match[1] == "%" else f"%({next(names)})s", statement)
    return named, {f"eligible_{number}": value for number, value in enumerate(values)}
