"""Searching by a face: the photos with the faces that are nearest to one.

All faces of the same space in photos that the user may see are compared, one by one. Which of them count
follows from the library itself, whatever the engine: the similarities of the face with a sample of others
have a centre and a spread (their median, and one standard deviation on the left side, where faces of the
same person are not), and the best of n unrelated faces stands about sqrt(2 ln n) spreads clear by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.http import Http404
from pgvector import Vector

from library.access import photos_for
from library.models import PhotoQuerySet
from people.models import Face
from search import filters, hybrid
from search.query import SearchQuery
from search.results import Hit, Notice, SearchResult, Why
from search.statements import named

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

WINDOW: Final = 500
SAMPLE: Final = 256
FEW: Final = 16
"""With fewer faces to compare with nothing can be said about chance."""

CLEAR: Final = 4.8
"""Spreads that a face must stand clear: the best of 100,000 unrelated ones does by chance."""

MIN_SPREAD: Final = 0.01
HIGHEST: Final = 0.95
"""A face that is as near as this is the same, however alike all faces of a library are."""

NEAREST: Final = 12
"""So many photos are shown when no face is clearly like this one."""

_WORDS: Final = Notice("Faces are compared alone: words do not count here, filters do.")
_NONE: Final = Notice("No other face is clearly like this one. These come nearest.")


def face_or_404(user: AbstractBaseUser | AnonymousUser, pk: int) -> Face:
    """The face if its photo may be seen."""
    face = Face.objects.select_related("space", "photo").filter(pk=pk, photo__in=photos_for(user)).first()
    if face is None:
        raise Http404
    return face


def by_face(
    face: Face,
    query: SearchQuery,
    user: AbstractBaseUser | AnonymousUser,
    *,
    limit: int = 50,
    offset: int = 0,
    reasons: bool = True,
) -> SearchResult:
    """One page of the photos with the faces nearest to this one, as far as the query's filters let them.

    The photo of the face itself is left out. A constant number of queries.
    """
    allowed = filters.eligible(query, user)
    rows, floor = _nearest(face, allowed.photos)
    clear = [row for row in rows if row[1] >= floor]
    notices = [Notice(text) for text in (*query.hints, *allowed.notices)]
    if query.free_text:
        notices.append(_WORDS)
    if not clear and (clear := [row for row in rows[:NEAREST] if row[1] > 0]):
        notices.append(_NONE)
    page = clear[offset : offset + max(0, limit)]
    hits = tuple(Hit(pk, near, Why(similarity=near, strength=_strength(near, floor))) for pk, near in page)
    if reasons:
        hits = hybrid.with_reasons(hits, query, allowed.hidden_roots)
    return SearchResult(query, "semantic", hits, len(clear), tuple(notices), window=WINDOW)


def _nearest(face: Face, photos: PhotoQuerySet) -> tuple[list[tuple[int, float]], float]:
    """Photos with the similarity of their nearest face, and what a face must reach to be more than chance."""
    try:
        eligible, parameters = named(*photos.order_by().values("pk").query.sql_with_params())
    except EmptyResultSet:
        return [], 0.0
    asked = {
        **parameters,
        "vector": Vector(face.embedding).to_text(),
        "space": face.space_id,
        "photo": face.photo_id,
        "window": WINDOW,
        "size": SAMPLE,
    }
    values = {"eligible": eligible, "dimensions": int(face.space.dimensions)}
    with connection.cursor() as cursor:
        cursor.execute(_template("faces").format(**values), asked)
        rows = list(cursor.fetchall())
        cursor.execute(_template("face_sample").format(**values), asked)
        others = [similarity for (similarity,) in cursor.fetchall()]
    return rows, _floor(others)


@cache
def _template(name: str) -> str:
    text = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _strength(similarity: float, floor: float) -> float:
    return min(max((similarity - floor) / (1 - floor), 0.0), 1.0)


def _floor(others: Sequence[float]) -> float:
    if len(others) < FEW:
        return 0.0
    low, centre = np.percentile(others, (16, 50))
    spread = max(float(centre - low), MIN_SPREAD)
    return min(float(centre) + spread * CLEAR, HIGHEST)
