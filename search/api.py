"""``/api/search``: what the search page finds, as JSON, for whoever is logged in."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from search import hybrid, report
from search.found import Asked
from search.results import MODES, SORTS

T = TypeVar("T", bound=str)

LIMIT = 50
MAX_LIMIT = 200


class BadParameter(ValueError):
    """A parameter that cannot be used; the message says which, and what is allowed."""


@require_safe
def search(request: HttpRequest) -> JsonResponse:
    """Parameters: ``q``; ``mode``, ``sort``; ``weaker`` 1; ``exact`` 1 for no corrections; ``limit``
    up to 200; ``offset``.

    Answers with how the query was read, the hits with their reasons, and ``next``: the address of the
    following page, or null. A parameter that cannot be used is a 400 with ``error``.
    """
    try:
        mode = _choice(request, "mode", MODES)
        sort = _choice(request, "sort", SORTS)
        limit = _number(request, "limit", LIMIT, 1, MAX_LIMIT)
        offset = _number(request, "offset", 0, 0, hybrid.BROWSE_WINDOW)
    except BadParameter as error:
        return JsonResponse({"error": str(error)}, status=400)
    asked = Asked(
        q=request.GET.get("q", ""),
        mode=mode,
        weaker=request.GET.get("weaker") == "1",
        exact=request.GET.get("exact") == "1",
    )
    query, correction = asked.read(request.user)
    result = hybrid.search(
        query, request.user, mode=mode, sort=sort, weaker=asked.weaker, limit=limit, offset=offset
    )
    after = offset + len(result.hits)
    following = _url(request, after) if result.hits and after < min(result.total, result.window) else None
    corrected = [{"typed": typed, "meant": meant} for typed, meant in correction.words] if correction else []
    answer = report.summary(result) | {
        "corrected": corrected,
        "next": following,
        "hits": report.hits(result, request.user),
    }
    return JsonResponse(answer, json_dumps_params={"ensure_ascii": False})


def _choice(request: HttpRequest, name: str, allowed: tuple[T, ...]) -> T:
    typed = request.GET.get(name, allowed[0])
    for value in allowed:
        if value == typed:
            return value
    raise BadParameter(f"{name} must be one of {', '.join(allowed)}.")


def _number(request: HttpRequest, name: str, default: int, low: int, high: int) -> int:
    typed = request.GET.get(name, str(default))
    if not (typed.isascii() and typed.isdigit() and len(typed) < 10 and low <= int(typed) <= high):
        raise BadParameter(f"{name} must be a whole number from {low} to {high}.")
    return int(typed)


def _url(request: HttpRequest, offset: int) -> str:
    names = ("q", "mode", "sort", "weaker", "exact", "limit")
    kept = {name: request.GET[name] for name in names if name in request.GET}
    return f"{reverse('search:api')}?{urlencode(kept | {'offset': offset})}"
