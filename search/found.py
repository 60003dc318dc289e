"""One search as the pages see it: what was asked, as an address and back, and its results page by page.

Pages stay right while photos arrive. By date, a page begins after a cursor that holds date and key of the
last photo before it, as in the timeline. Ranked results have no such place: which photo is how near changes
with every photo that is added. Their order is written down with the first page (``ResultOrder``), at most
``ranking.WINDOW`` keys, and the later pages go on in it; whether each photo may still be seen, and is still
found, is asked again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from library.access import hidden_roots
from library.models import PhotoQuerySet
from library.timeline import BadCursor, Cursor
from search import by_picture, filters, hybrid
from search.by_picture import ByPicture
from search.explain import explain
from search.model_words import model_knows
from search.models import ResultOrder, SavedSearch
from search.query import SearchQuery, parse
from search.ranking import WINDOW
from search.results import MODES, SORTS, Hit, Mode, Notice, SearchResult, Sort, Why
from search.spelling import Correction, correct, never
from search.vocabulary import read

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User: TypeAlias = AbstractBaseUser | AnonymousUser

PAGE_SIZE: Final = 48
ORDERS_KEPT: Final = 20
"""Of how many searches of one person the order is kept; the oldest go."""
ORDER_KEPT_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as it stands in an address. ``sort`` is "relevance" where nothing else was asked for.

    ``like``, ``face``, ``picture`` and ``weight`` are those of ``search.by_picture``; ``exact``: misspelt
    words are searched as they are.
    """

    q: str = ""
    mode: Mode = "hybrid"
    sort: Sort = "relevance"
    weaker: bool = False
    view: str = "grid"
    like: str = ""
    face: str = ""
    picture: str = ""
    weight: str = ""
    exact: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Asked:
        """Read an address or a form; what cannot be used is as if it were not there."""
        return cls(
            q=parameters.get("q", "").strip(),
            mode=next((mode for mode in MODES if mode == parameters.get("mode")), MODES[0]),
            sort=next((sort for sort in SORTS if sort == parameters.get("sort")), SORTS[0]),
            weaker=parameters.get("weaker") == "1",
            view="list" if parameters.get("view") == "list" else "grid",
            exact=parameters.get("exact") == "1",
            **by_picture.parameters(parameters),
        )

    @classmethod
    def of_saved(cls, saved: SavedSearch) -> Asked:
        """What a saved search asks for."""
        values = {"q": saved.query, "mode": saved.mode, "sort": saved.sort}
        return cls.of(values | ({"weaker": "1"} if saved.weaker else {}))

    def understood(self, user: User) -> SearchQuery:
        """The text as it is understood for this user."""
        return self.read(user)[0]

    def read(self, user: User) -> tuple[SearchQuery, Correction | None]:
        """The text as it is understood for this user, and what was put right in it.

        Names and dates are recognised first: they are not misspelt.
        """
        query = read(self.q, user)
        knows = never if self.mode == "keyword" else model_knows
        correction = None if self.exact else correct(query, user, knows=knows)
        return (correction.query if correction else query), correction

    def is_ranked(self, query: SearchQuery) -> bool:
        """Whether there is something to rank by; otherwise photos come by their date."""
        return bool(query.ranking or self.by_picture)

    @property
    def by_picture(self) -> dict[str, str]:
        """The parameters of the picture or face that is searched by; none when there is none."""
        names = ("like", "face", "picture", "weight")
        return {name: value for name in names if (value := getattr(self, name))}

    def without_picture(self) -> Asked:
        """The same search by what was typed alone."""
        return replace(self, like="", face="", picture="", weight="")

    @property
    def kept(self) -> str:
        """The text as it is to be kept: "yesterday" goes on meaning the day before."""
        return parse(self.q).as_typed

    @property
    def parameters(self) -> dict[str, str]:
        """Of its address: only what is not the usual."""
        usual = Asked()
        names = ("q", "mode", "sort", "view", "like", "face", "picture", "weight")
        values = {name: str(getattr(self, name)) for name in names}
        given = {name: value for name, value in values.items() if value != getattr(usual, name)}
        marks = {name: "1" for name in ("weaker", "exact") if getattr(self, name)}
        return given | marks

    def url(self, name: str = "search:search", **more: str) -> str:
        """The address of this search on the page called ``name``."""
        parameters = urlencode(self.parameters | more)
        return reverse(name) + (f"?{parameters}" if parameters else "")

    def but(self, **changes: Any) -> Asked:
        """The same search but for these."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of results. ``after`` is where the next one begins; empty at the end."""

    result: SearchResult
    after: str = ""
    bounded: bool = False
    correction: Correction | None = None
    by: ByPicture | None = None


def page(asked: Asked, user: User, after: str = "", *, counted: bool = True) -> FoundPage:
    """The page of results that begins at ``after``, a value of the page before, or the first one.

    An ``after`` that no page gave out, or that is too old, begins at the top. What comes by date is counted
    only if it is to be ``counted``: that takes longer than finding a page of it.
    """
    query, correction = asked.read(user)
    by = by_picture.asked(asked.parameters, user)
    if by is None and not query.clauses:
        return FoundPage(SearchResult(query, asked.mode))
    found = _ranked(query, asked, user, after, by) if asked.is_ranked(query) else None
    found = found or _by_date(query, asked, user, after, counted=counted)
    return replace(found, correction=correction, by=by)


def photo_ids(asked: Asked, user: User, query: SearchQuery | None = None) -> Iterator[int]:
    """The keys of all results in their order: by date all there are, ranked at most ``ranking.WINDOW``.

    ``query`` stands in for the one that was asked.
    """
    query = asked.understood(user) if query is None else query
    if not query.clauses and not asked.by_picture:
        return
    if asked.is_ranked(query):
        by = by_picture.asked(asked.parameters, user)
        yield from (hit.photo_id for hit in _all(query, asked, user, by).hits)
        return
    photos = _ordered(filters.eligible(query, user).photos, asked)
    yield from photos.values_list("pk", flat=True).iterator(chunk_size=2000)


def count_and_first(asked: Asked, user: User) -> tuple[int, int | None]:
    """How many photos this user finds, and the first of them."""
    query = asked.understood(user)
    if not query.clauses:
        return 0, None
    if query.ranking:
        result = hybrid.search(
            query, user, mode=asked.mode, sort=asked.sort, weaker=asked.weaker, limit=1, reasons=False
        )
        return result.total, result.hits[0].photo_id if result.hits else None
    photos = filters.eligible(query, user).photos
    return photos.count(), _ordered(photos, asked).values_list("pk", flat=True).first()


def is_bounded(asked: Asked, user: User, count: int) -> bool:
    """Whether there may be more than ``count`` results: ranked ones end at the window."""
    return count >= WINDOW and asked.is_ranked(asked.understood(user))


def _by_date(query: SearchQuery, asked: Asked, user: User, after: str, *, counted: bool) -> FoundPage:
    allowed = filters.eligible(query, user)
    photos = _ordered(allowed.photos, asked)
    if (cursor := _cursor(after)) is not None:
        keyset = photos.newer_than if asked.sort == "oldest" else photos.older_than
        photos = keyset(cursor.taken_local, cursor.pk)
    rows = list(photos.values_list("pk", "taken_local")[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    reasons = explain([pk for pk, _ in shown], query, allowed.hidden_roots)
    hits = tuple(Hit(pk, 0.0, reasons.get(pk, Why())) for pk, _ in shown)
    notices = tuple(map(Notice, (*query.hints, *allowed.notices)))
    total = allowed.photos.count() if counted else 0
    result = SearchResult(query, asked.mode, hits, total, notices, asked.sort)
    last = shown[-1] if len(rows) > PAGE_SIZE else None
    return FoundPage(result, after=str(Cursor(last[1], last[0])) if last and last[1] else "")


def _ordered(photos: PhotoQuerySet, asked: Asked) -> PhotoQuerySet:
    return photos.order_by("taken_local", "pk") if asked.sort == "oldest" else photos.newest_first()


def _cursor(text: str) -> Cursor | None:
    try:
        return Cursor.parse(text) if text else None
    except BadCursor:
        return None


def _ranked(query: SearchQuery, asked: Asked, user: User, after: str, by: ByPicture | None) -> FoundPage:
    key, start = _place(after)
    order = _order(user, key) if key else None
    result = _all(query, asked, user, by)
    if order is None:
        order, start = [hit.photo_id for hit in result.hits], 0
        key = _written_down(user, order) if len(order) > PAGE_SIZE else ""
    by_id = {hit.photo_id: hit for hit in result.hits}
    shown = [by_id[pk] for pk in order[start : start + PAGE_SIZE] if pk in by_id]
    hits = hybrid.with_reasons(shown, result.query, hidden_roots(user))
    following = start + PAGE_SIZE
    return FoundPage(
        replace(result, hits=hits),
        after=f"{key}.{following}" if key and following < len(order) else "",
        bounded=result.total >= WINDOW,
    )


def _all(query: SearchQuery, asked: Asked, user: User, by: ByPicture | None) -> SearchResult:
    """All hits, without what matched in each."""
    return by_picture.search(
        query,
        user,
        by,
        mode=asked.mode,
        sort=asked.sort,
        weaker=asked.weaker,
        limit=WINDOW,
        reasons=False,
    )


def _place(after: str) -> tuple[str, int]:
    """``key.offset`` as a page gave it out; no key for anything else."""
    key, _, offset = after.rpartition(".")
    usable = key.isascii() and offset.isascii() and offset.isdigit() and len(offset) < 5
    return (key, int(offset)) if usable else ("", 0)


def _order(user: User, key: str) -> list[int] | None:
    since = timezone.now() - ORDER_KEPT_FOR
    kept = ResultOrder.objects.filter(user=user.pk, key=key, at__gte=since).first()
    return kept.photo_ids if kept else None


def _written_down(user: User, order: list[int]) -> str:
    key = secrets.token_urlsafe(9)
    ResultOrder(user_id=int(user.pk or 0), key=key, photo_ids=order).save(force_insert=True)
    mine = ResultOrder.objects.filter(user=user.pk)
    mine.filter(pk__in=mine.values("pk")[ORDERS_KEPT : ORDERS_KEPT + 100]).delete()
    return key
