"""Help while typing: what may be meant, as a list below the box."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from search.query import MAX_LENGTH
from search.suggest import suggestions


@require_safe
@cache_control(private=True, max_age=20)
def suggest(request: HttpRequest) -> HttpResponse:
    """Parameters: ``q`` what is in the box. The answer is the list alone."""
    text = request.GET.get("q", "").replace("\0", "")[:MAX_LENGTH]
    return render(request, "search/_suggestions.html", {"suggestions": suggestions(text, request.user)})
