"""The ranking statement: filled in, run, and its plan shown.

What is eligible is never counted to choose a way: the planner's estimate says whether few photos are left, so
that every distance is computed, or many, so that the HNSW index answers. An estimate may be wrong: when the
index gave up before it found enough (pgvector stops after ``hnsw.max_scan_tuples``), the statement runs again
with exact distances, so a filter never starves the results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from pgvector import HalfVector, Vector

from library.models import PhotoQuerySet
from search import semantics, vector_indexes
from search.results import Hit, Sort, Why
from search.semantics import Meaning, Scale
from search.statements import named

WINDOW: Final = 500
"""How many hits can be paged through."""

CANDIDATES: Final = 200
"""How many photos at most are found by meaning."""

SPOKEN: Final = 5_000
"""How many photos at most are ranked by words. Where more have them, words alone say little about which."""

RRF_K: Final = 60

EXACT_LIMIT: Final = 20_000
"""Up to so many eligible photos every distance is computed; above, the HNSW index answers if there is one."""

_ORDERS: Final[dict[Sort, str]] = {
    "relevance": "score DESC, keyword_rank NULLS LAST, photo_id DESC",
    "newest": "taken_local DESC, photo_id DESC",
    "oldest": "taken_local, photo_id",
}
# A query of stop words alone has no stems; OR with nothing is the other side. A word that is its own stem
# does not stand there twice: the planner would expect twice as many photos, and read all documents for them.
_TSQUERY: Final = """(CASE
    WHEN to_tsquery('simple', %({name})s) = to_tsquery('english', %({name})s)
    THEN to_tsquery('simple', %({name})s)
    ELSE to_tsquery('simple', %({name})s) || to_tsquery('english', %({name})s)
END)"""
_TYPED, _EXPANDED = _TSQUERY.format(name="typed"), _TSQUERY.format(name="expanded")
_TYPED_FIRST: Final = f"(d.document @@ {_TYPED}) DESC, d.photo_id DESC"
_VECTOR: Final = re.compile(r"\[[-+.,e\d]{40,}\]")
_NO_SCALE: Final = Scale(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Words:
    """What to look for in documents: texts of a ``tsquery``, as it was typed and with other words beside it.

    A document that has only the other words counts ``weight`` of one that has those that were typed.
    """

    typed: str
    expanded: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is ranked, and by what; a side that is off has None.

    Names count only for photos without a file in ``hidden_roots``.
    """

    photos: PhotoQuerySet
    words: Words | None = None
    meaning: Meaning | None = None
    estimate: int = 0
    indexed: int | None = None
    hidden_roots: tuple[int, ...] = ()
    sort: Sort = "relevance"
    weaker: bool = False

    @property
    def approximate(self) -> bool:
        """Whether the index answers, which holds ``indexed`` photos; otherwise every distance is computed."""
        return self.indexed is not None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A page of hits, how many there are, how many weaker ones were left out, how many meaning found."""

    hits: list[Hit]
    total: int = 0
    weaker: int = 0
    near: int = 0


def estimated(photos: PhotoQuerySet) -> int:
    """How many photos the planner expects; no table is read."""
    try:
        plan = json.loads(photos.order_by().values("pk").explain(format="json"))
    except EmptyResultSet:
        return 0
    return int(plan[0]["Plan"]["Plan Rows"])


def chosen(ranking: Ranking) -> Ranking:
    """The ranking with its way to the nearest vectors."""
    estimate = estimated(ranking.photos)
    meaning = ranking.meaning
    many = meaning is not None and estimate > EXACT_LIMIT
    indexed = vector_indexes.indexed_rows(meaning.space_id) if meaning and many else None
    return replace(ranking, estimate=estimate, indexed=indexed)


def ranked(ranking: Ranking, *, limit: int, offset: int) -> Ranked:
    """One page, best first, in a stable order."""
    try:
        found = _run(ranking, limit, offset)
        if ranking.approximate and found.near < CANDIDATES:
            found = _run(replace(ranking, indexed=None), limit, offset)
    except EmptyResultSet:  # Django's word for a condition that nothing can meet
        return Ranked([])
    return found


def plan(ranking: Ranking) -> list[str]:
    """How PostgreSQL goes about it: the lines of EXPLAIN ANALYZE, without the vectors. Runs the statement."""
    try:
        statement, parameters = _statement(ranking)
    except EmptyResultSet:
        return ["Nothing can meet these conditions; nothing was asked."]
    with _settings(ranking), connection.cursor() as cursor:
        page = {"size": 50, "start": 0}
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS) {statement}", parameters | page)
        return [_VECTOR.sub("[…]", str(line)) for (line,) in cursor.fetchall()]


def _run(ranking: Ranking, limit: int, offset: int) -> Ranked:
    statement, parameters = _statement(ranking)
    with _settings(ranking), connection.cursor() as cursor:
        cursor.execute(statement, parameters | {"size": limit, "start": offset})
        rows = cursor.fetchall()
    scale = ranking.meaning.scale if ranking.meaning else _NO_SCALE
    hits = [
        Hit(pk, score, _why(keyword, semantic, near, scale))
        for pk, score, keyword, semantic, near, *_ in rows
        if pk is not None
    ]
    total, weaker, near = rows[0][5:]
    return Ranked(hits, total, weaker, near)


def _why(keyword: int | None, semantic: int | None, near: float | None, scale: Scale) -> Why:
    return Why(
        keyword_rank=keyword,
        semantic_rank=semantic,
        similarity=near,
        strength=None if near is None else scale.strength(near),
    )


@contextmanager
def _settings(ranking: Ranking) -> Iterator[None]:
    """Until the end of the block nothing runs in parallel, and HNSW scans on until enough photos were found.

    To start helpers takes longer than they save on the few thousand rows that are ranked.
    """
    chosen = "SET LOCAL max_parallel_workers_per_gather = 0"
    if ranking.indexed is not None:
        most = vector_indexes.ef_search(ranking.indexed)
        chosen += f"; SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = {most:d}"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(chosen)
        yield


@cache
def _template() -> str:
    text = (Path(__file__).parent / "sql" / "hybrid.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _statement(ranking: Ranking) -> tuple[str, dict[str, Any]]:
    """The statement and its parameters, all but the page's. Raises EmptyResultSet."""
    eligible, parameters = named(*ranking.photos.order_by().values("pk").query.sql_with_params())
    meaning, words = ranking.meaning, ranking.words
    statement = _template().format(
        eligible=eligible,
        distance=_distance(meaning, approximate=ranking.approximate),
        crop_distance=_crop_distance(meaning),
        space=meaning.space_id if meaning else 0,
        typed=_TYPED,
        expanded=_EXPANDED,
        order=_ORDERS[ranking.sort],
        spoken_order=_TYPED_FIRST if words and words.weight else "d.photo_id DESC",
    )
    return statement, {
        **parameters,
        **_cuts(ranking),
        "by_words": words is not None,
        "typed": words.typed if words else "",
        "expanded": words.expanded if words else "",
        "expanded_weight": words.weight if words else 0.0,
        "hidden_roots": list(ranking.hidden_roots),
        "by_meaning": meaning is not None,
        "by_crops": meaning is not None and meaning.crops,
        "crop_weight": semantics.CROP_WEIGHT,
        "vector": _literal(meaning, approximate=ranking.approximate),
        "spoken": SPOKEN,
        "candidates": CANDIDATES,
        "window": WINDOW,
        "k": RRF_K,
        "words_weight": settings.SEARCH_WORDS_WEIGHT,
        "meaning_weight": settings.SEARCH_MEANING_WEIGHT,
    }


def _cuts(ranking: Ranking) -> dict[str, float]:
    """See ``search.semantics``. ``share`` of the way from the centre to the best must be reached, too."""
    scale = ranking.meaning.scale if ranking.meaning else _NO_SCALE
    floor = scale.floor if scale.gated else -1.0
    kept = {"gate": scale.gate(ranking.estimate), "floor": floor, "share": semantics.SHARE}
    if ranking.weaker:
        kept = {"gate": -1.0, "floor": scale.weak, "share": 0.0}
    return kept | {"centre": scale.centre, "weak": scale.weak}


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
