"""Searching by a face: the photos with the faces that are nearest to one.

All faces of the same space in photos that the user may see are compared, one by one. Which of them count
follows from where the recognition of people begins to ask (``people.thresholds``, or what it learnt since).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.http import Http404
from pgvector import Vector

from library.models import PhotoQuerySet
from people.access import faces_for
from people.models import Calibration, Face
from people.thresholds import defaults_for
from search import filters, hybrid
from search.query import SearchQuery
from search.results import Hit, Notice, SearchResult, Why
from search.statements import named

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

WINDOW: Final = 500
NEAREST: Final = 12
"""So many photos are shown when no face is clearly like this one."""

_WORDS: Final = Notice("Faces are compared alone: words do not count here, filters do.")
_NONE: Final = Notice("No other face is clearly like this one. These come nearest.")


def face_or_404(user: AbstractBaseUser | AnonymousUser, pk: int) -> Face:
    """The face if its photo may be seen, and an engine has looked at it."""
    faces = faces_for(user).filter(status=Face.Status.FACE, space__isnull=False)
    face = faces.select_related("space", "photo").filter(pk=pk).first()
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
    rows, floor = _nearest(face, allowed.photos), _floor(face)
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


def _nearest(face: Face, photos: PhotoQuerySet) -> list[tuple[int, float]]:
    """Photos with the similarity of their nearest face, the nearest first."""
    try:
        eligible, parameters = named(*photos.order_by().values("pk").query.sql_with_params())
    except EmptyResultSet:
        return []
    asked = {
        **parameters,
        "vector": Vector(face.embedding).to_text(),
        "space": face.space_id,
        "photo": face.photo_id,
        "window": WINDOW,
    }
    with connection.cursor() as cursor:
        cursor.execute(_template().format(eligible=eligible, dimensions=len(face.embedding)), asked)
        return list(cursor.fetchall())


@cache
def _template() -> str:
    text = (Path(__file__).parent / "sql" / "faces.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _floor(face: Face) -> float:
    """The similarity from which a face may be the same person's."""
    learnt = Calibration.objects.filter(space=face.space_id).values_list("low", flat=True).first()
    if learnt is not None:
        return learnt
    return defaults_for(face.space.engine if face.space else "").low


def _strength(similarity: float, floor: float) -> float:
    return min(max((similarity - floor) / (1 - floor), 0.0), 1.0)
