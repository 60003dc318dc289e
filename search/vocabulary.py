"""What a user typed → a query in which the names they may know of are recognised.

A name counts only when a photo in this user's gallery has it: what is recognised tells nothing of others.
Only names that the words of the query could mean are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from library.models import Category, Place
from library.timeline import gallery_photos
from people.finding import known_names, photos_of
from search.query import SearchQuery, parse
from search.query.recognition import Names, Vocabulary, candidates, recognise, spoken
from search.text import folded

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

Words = tuple[str, ...]


def read(text: str, user: AbstractBaseUser | AnonymousUser, *, today: date | None = None) -> SearchQuery:
    """Read what a person typed into the search box. Never raises."""
    return recognised(parse(text), user, today=today)


def recognised(
    query: SearchQuery, user: AbstractBaseUser | AnonymousUser, *, today: date | None = None
) -> SearchQuery:
    """The query with the names and dates in its plain words as fields."""
    return recognise(query, vocabulary_for(query, user, today=today))


def vocabulary_for(
    query: SearchQuery, user: AbstractBaseUser | AnonymousUser, *, today: date | None = None
) -> Vocabulary:
    """The names that could be meant, in a handful of queries."""
    asked = candidates(spoken(query))
    return Vocabulary(
        today=today or timezone.localdate(),
        people=_people(asked, user) if asked else {},
        places=_places(asked, user) if asked else {},
        categories=_categories(asked) if asked else {},
        southern=settings.HEMISPHERE == "south",
    )


def _people(asked: set[Words], user: AbstractBaseUser | AnonymousUser) -> Names:
    """By the whole name, or by the first of its words."""
    found: dict[Words, tuple[str, list[int]]] = {}
    for pk, name in known_names():
        known = folded(name)
        for spelled, value in ((known, name), (known[:1], name.split()[0] if name.split() else "")):
            if spelled in asked:
                found.setdefault(spelled, (value, []))[1].append(pk)
    photos = gallery_photos(user)
    return {
        spelled: _value(value)
        for spelled, (value, keys) in found.items()
        if photos.filter(pk__in=photos_of(keys)).exists()
    }


def _places(asked: set[Words], user: AbstractBaseUser | AnonymousUser) -> Names:
    """By city, region or country."""
    newest: int | None = Place.objects.aggregate(newest=Max("pk"))["newest"]
    known = _place_names(newest) if newest else {}
    photos = gallery_photos(user)
    return {
        spelled: _value(known[spelled][0])
        for spelled in asked & known.keys()
        if photos.filter(place__in=known[spelled][1]).exists()
    }


@lru_cache(maxsize=1)
def _place_names(newest: int) -> dict[Words, tuple[str, list[int]]]:
    """All names with the places that have them. Rows never change, so the newest key is their version."""
    found: dict[Words, tuple[str, list[int]]] = {}
    for pk, *names in Place.objects.values_list("pk", "city", "region", "country"):
        for name in filter(None, names):
            found.setdefault(folded(name), (name, []))[1].append(pk)
    return found


def _categories(asked: Iterable[Words]) -> Names:
    rows = Category.objects.values_list("name", "slug")
    known = {folded(each): name for name, slug in rows for each in (slug, name)}
    return {spelled: _value(known[spelled]) for spelled in asked if spelled in known}


def _value(name: str) -> str:
    """The name as the value of a field: no quotation mark may stand in it."""
    return " ".join(name.replace('"', " ").split())
