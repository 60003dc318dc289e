"""The search page: one URL for the page, for its results, and for the hits that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from library.access import photos_for
from library.albums import changeable_albums
from library.models import Photo
from library.timeline import with_details
from photos_project.http import is_fragment
from search import found, refine
from search.actions.history import remember
from search.chips import Chip, chips
from search.facets import facets as counted_facets
from search.found import PAGE_SIZE, Asked
from search.history import recent
from search.picture_views import by_picture_context
from search.query import Field, SearchQuery, Term
from search.refine import FACETS, People, Period
from search.results import MODES, Hit, Mode, SearchResult
from search.saved import known_as, saved_for

__all__ = ["PAGE_SIZE", "facets", "refined", "search"]

EXAMPLES = (
    ("two cats on a sofa", "what a picture shows, in your own words"),
    ("text:receipt", "words written in the picture"),
    ("category:food after:2019", "a category, from a day, month or year on"),
    ('"happy birthday" -cake', "exactly these words, and not that one"),
)
RECENT = 8

MODE_NAMES: dict[Mode, str] = {"hybrid": "Everything", "keyword": "Words", "semantic": "Meaning"}
SORT_NAMES = {"relevance": "Best first", "newest": "Newest", "oldest": "Oldest"}
VIEW_NAMES = {"grid": "Grid", "list": "List"}


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
    name: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter in use, the search without it, and the search for its words if it was recognised in them."""

    chip: Chip
    without: str
    as_words: str


@require_safe
@vary_on_headers("HX-Request")
def search(request: HttpRequest) -> HttpResponse:
    """What ``search.found.Asked`` reads from the address; ``after`` is where a later page begins."""
    asked, after = Asked.of(request.GET), request.GET.get("after", "")
    following = bool(after) and is_fragment(request)
    page = found.page(asked, request.user, after, counted=not following)
    context = {
        "asked": asked,
        "q": asked.q,
        "result": page.result,
        "shown": _shown(request, page.result),
        "more": asked.url(after=page.after) if page.after else "",
        "by": page.by,
        "layout": _layout(asked, page.result.query),
    }
    if following:
        return render(request, "search/_hits.html", context)
    context |= _around(request, asked, page)
    if not after and request.method == "GET" and page.result.query.clauses and request.user.pk:
        remember(user_id=request.user.pk, query=page.result.query)
    if is_fragment(request):
        response = render(request, "search/_results.html", context)
        response["HX-Push-Url"] = asked.url()
        return response
    return render(request, "search/search.html", context)


@require_safe
@vary_on_headers("HX-Request")
def facets(request: HttpRequest) -> HttpResponse:
    """The filters of a search with their counts: the panel beside the results, or a page of its own."""
    asked = Asked.of(request.GET)
    context = {
        "asked": asked,
        "q": asked.q,
        "facets": counted_facets(asked, request.user),
        "results": asked.url(),
        "modes": _modes(asked, "search:facets") if asked.is_ranked(asked.understood(request.user)) else [],
    }
    template = "search/_facets.html" if is_fragment(request) else "search/facets.html"
    return render(request, template, context)


@require_safe
def refine_search(request: HttpRequest) -> HttpResponse:
    """The form of the filters: what was ticked becomes part of the text, and that is searched for."""
    asked = Asked.of(request.GET)
    query = refined(asked.understood(request.user), request.GET)
    return redirect(asked.but(q=query.as_typed).url())


def refined(query: SearchQuery, form: QueryDict) -> SearchQuery:
    """The query with what the form says of each facet it holds (``facet``, several)."""
    held = form.getlist("facet")
    for name, facet in FACETS.items():
        if name in held:
            query = refine.choose(query, facet, form.getlist(name))
    if "people" in held:
        mode = form.get("people", "all")
        mode = mode if mode in refine.PEOPLE_MODES else refine.PEOPLE_MODES[0]
        query = refine.choose_people(query, People(mode, tuple(form.getlist("person"))))
    if "date" in held:
        query = refine.choose_period(query, Period(_day(form, "from"), _day(form, "to")))
    return query


def _around(request: HttpRequest, asked: Asked, page: found.FoundPage) -> Mapping[str, object]:
    """What stands around the hits."""
    query = page.result.query
    ranked = asked.is_ranked(query)
    sorts = [name for name in SORT_NAMES if ranked or name != "relevance"]
    sort = asked.sort if ranked or asked.sort != "relevance" else "newest"
    around: dict[str, object] = {
        "bounded": page.bounded,
        "ranked": ranked,
        "correction": page.correction,
        "exact": asked.but(exact=True).url() if page.correction else "",
        "weaker": _weaker(asked, page.result),
        "modes": _modes(asked),
        "sorts": [Link(SORT_NAMES[name], asked.but(sort=name).url(), name == sort) for name in sorts],
        "views": [
            Link(text, asked.but(view=name).url(), name == asked.view, name)
            for name, text in VIEW_NAMES.items()
        ],
        "filters": _filters(query, asked),
        "examples": [(Link(text, asked.but(q=text).url()), why) for text, why in EXAMPLES],
        "known": _known(request, asked) if query.clauses else None,
        "facets_url": asked.url("search:facets"),
        "exports": [(kind, asked.url("search:export", format=kind)) for kind in ("zip", "csv", "json")],
        "albums": changeable_albums(request.user) if page.result.hits else [],
    }
    around |= by_picture_context(asked, query)
    return around if query.clauses or page.by else around | _start(request)


def _modes(asked: Asked, page: str = "search:search") -> list[Link]:
    return [Link(MODE_NAMES[mode], asked.but(mode=mode).url(page), mode == asked.mode) for mode in MODES]


def _layout(asked: Asked, query: SearchQuery) -> str:
    """How the hits are laid out: in a list, or as cards where there is something to say about each."""
    if asked.view == "list":
        return "rows"
    says_why = asked.is_ranked(query) or any(
        isinstance(atom, Term) or (isinstance(atom, Field) and atom.name in ("tag", "text"))
        for clause in query.filters
        for atom in clause.leaves()
    )
    return "cards" if says_why else "grid"


def _weaker(asked: Asked, result: SearchResult) -> Link | None:
    """The way to weaker matches and back, where there are some."""
    if asked.weaker:
        return Link("Show clear matches only", asked.but(weaker=False).url(), current=True)
    if not result.weaker:
        return None
    number = f"{result.weaker:,} weaker match{'' if result.weaker == 1 else 'es'}"
    return Link(f"Show {number}", asked.but(weaker=True).url())


def _start(request: HttpRequest) -> dict[str, object]:
    """What an empty page offers."""
    return {"saved": list(saved_for(request.user)[:RECENT]), "recent": list(recent(request.user, RECENT))}


def _known(request: HttpRequest, asked: Asked) -> object:
    return known_as(request.user, asked.kept, mode=asked.mode, sort=asked.sort, weaker=asked.weaker)


def _shown(request: HttpRequest, result: SearchResult) -> list[Shown]:
    photos = photos_for(request.user).filter(pk__in=[hit.photo_id for hit in result.hits])
    by_id = {photo.pk: photo for photo in with_details(photos, request.user)}
    return [Shown(by_id[hit.photo_id], hit) for hit in result.hits if hit.photo_id in by_id]


def _filters(query: SearchQuery, asked: Asked) -> list[Filter]:
    """One for every clause that decides which photos are eligible."""
    return [
        Filter(
            chip,
            asked.but(q=chip.without).url(),
            asked.but(q=chip.as_words).url() if chip.as_words else "",
        )
        for chip in chips(query)
    ]


def _day(form: QueryDict, name: str) -> date | None:
    try:
        return date.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
