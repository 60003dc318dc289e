"""What other pages show of the search: templates are put together at the top."""

from __future__ import annotations

from typing import Any

from django import template

from library.models import OcrText
from search.explain import matching_lines
from search.facets import Choice
from search.models import SavedSearch
from search.saved import saved_for
from search.vocabulary import read

register = template.Library()

MOST_SMART_ALBUMS = 200


@register.inclusion_tag("search/_smart_albums.html", takes_context=True)
def smart_albums(context: dict[str, Any]) -> dict[str, Any]:
    """The saved searches that stand among the albums. Their covers come one by one, when they are seen."""
    found = saved_for(context["request"].user).filter(is_album=True)
    return {"smart": list(found[:MOST_SMART_ALBUMS]), "user": context["request"].user}


@register.filter
def is_of(saved: SavedSearch, user: Any) -> bool:
    """Whether a saved search is this user's own."""
    return bool(saved.owner_id == user.pk)


@register.filter
def any_chosen(choices: list[Choice]) -> bool:
    """Whether one of these choices of a facet is chosen."""
    return any(choice.chosen for choice in choices)


@register.simple_tag(takes_context=True)
def lines_found(context: dict[str, Any], ocr: OcrText | None, q: str) -> set[int]:
    """The lines of text in a picture (counted from 1) that have what was searched for."""
    if ocr is None or not q.strip():
        return set()
    texts = [str(block.get("text", "")) for block in ocr.blocks]
    return {number + 1 for number in matching_lines(texts, read(q, context["request"].user))}
