"""The search page: one URL for the page, for its results, and for the hits that follow."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from library.access import photos_for
from library.models import Photo
from library.timeline import with_details
from photos_project.http import is_fragment
from search import hybrid
from search.query import SearchQuery, parse
from search.results import MODES, Hit, Mode, SearchResult

PAGE_SIZE = 48

EXAMPLES = (
    ("two cats on a sofa", "what a picture shows, in your own words"),
    ("text:receipt", "words written in the picture"),
    ("category:food after:2019", "a category, from a day, month or year on"),
    ('"happy birthday" -cake', "exactly these words, and not that one"),
)

MODE_NAMES: dict[Mode, str] = {"hybrid": "Everything", "keyword": "Words", "semantic": "Meaning"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo beside the reasons for which it was found."""

    photo: Photo
    hit: Hit


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to go from here."""

    text: str
    url: str
    current: bool = False


@require_safe
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """Parameters: ``q`` what was typed, ``mode`` one of MODES, ``offset`` the hits before this page."""
    text = request.GET.get("q", "").strip()
    mode = next((mode for mode in MODES if mode == request.GET.get("mode")), MODES[0])
    offset = _number(request.GET.get("offset", ""))
    query = parse(text)
    result = SearchResult(query, mode)
    if query.clauses:
        result = hybrid.search(query, request.user, mode=mode, limit=PAGE_SIZE, offset=offset)
    context = {
        "q": text,
        "result": result,
        "shown": _shown(request, result),
        "more": _more(text, result, offset),
        "many": result.total >= hybrid.WINDOW,
        "modes": [Link(MODE_NAMES[other], _url(text, other), other == mode) for other in MODES],
        "filters": _filters(query, mode),
        "examples": [(Link(example, _url(example, mode)), why) for example, why in EXAMPLES],
    }
    return render(request, _template(request, offset), context)


def _template(request: HttpRequest, offset: int) -> str:
    if not is_fragment(request):
        return "search/search.html"
    return "search/_hits.html" if offset else "search/_results.html"


def _shown(request: HttpRequest, result: SearchResult) -> list[Shown]:
    photos = photos_for(request.user).filter(pk__in=[hit.photo_id for hit in result.hits])
    by_id = {photo.pk: photo for photo in with_details(photos, request.user)}
    return [Shown(by_id[hit.photo_id], hit) for hit in result.hits if hit.photo_id in by_id]


def _more(text: str, result: SearchResult, offset: int) -> str:
    """The address of the next page; empty at the end."""
    following = offset + len(result.hits)
    return _url(text, result.mode, following) if result.hits and following < result.total else ""


def _filters(query: SearchQuery, mode: Mode) -> list[Link]:
    """One chip for every clause that decides which photos are eligible; its link is the query without it."""
    return [Link(str(clause), _url(str(query.without(clause)), mode)) for clause in query.filters]


def _url(text: str, mode: Mode, offset: int = 0) -> str:
    parameters: dict[str, str | int] = {"q": text}
    if mode != MODES[0]:
        parameters["mode"] = mode
    if offset:
        parameters["offset"] = offset
    return f"{reverse('search:search')}?{urlencode(parameters)}"


def _number(text: str) -> int:
    return min(int(text), hybrid.WINDOW) if text.isascii() and text.isdigit() and len(text) < 10 else 0
