"""What pages of the floors below show of the search: templates are put together at the top."""

from __future__ import annotations

from typing import Any

from django import template

from search.facets import Choice
from search.models import SavedSearch
from search.saved import saved_for

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
    return saved.owner_id == user.pk


@register.filter
def any_chosen(choices: list[Choice]) -> bool:
    """Whether one of these choices of a facet is chosen."""
    return any(choice.chosen for choice in choices)
