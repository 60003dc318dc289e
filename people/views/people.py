"""The people, one of them, and what can be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from library.models import Photo
from library.timeline import gallery_photos, with_details
from people import inbox
from people.access import faces_for, people_for, person_or_404, photo_counts_for
from people.forms import PersonForm
from people.lookalikes import merge_candidates
from people.models import Face, Person, Prototype
from people.review import open_counts
from people.statistics import coverage_of, statistics_of

if TYPE_CHECKING:
    from people.access import User

PAGE_SIZE: Final = 60
YEAR_PHOTOS: Final = 12
MOST_YEARS: Final = 30
SUGGESTED: Final = 6


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody in the list."""

    person: Person
    photos: int
    cover: Face | None


@dataclass(frozen=True, slots=True)
class Year:
    """Some photos of a year, and how many there are."""

    year: int | None
    count: int
    photos: list[Photo]
    url: str

    @property
    def more(self) -> bool:
        """Whether not all are shown."""
        return self.count > len(self.photos)


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody this user may know of, the most frequent first; ``q`` is a part of the name."""
    q, hidden = request.GET.get("q", "").replace("\0", "").strip()[:200], "hidden" in request.GET
    found = people_for(request.user).filter(hidden=hidden)
    if q:
        found = found.filter(name__icontains=q)
    photos = photo_counts_for(request.user)
    ordered = sorted(found, key=lambda one: (-photos.get(one.pk, 0), one.name.casefold(), one.pk))
    page = Paginator(ordered, PAGE_SIZE).get_page(request.GET.get("page"))
    covers = inbox.portraits(request.user, [person.pk for person in page.object_list])
    shown = [Shown(person, photos.get(person.pk, 0), covers.get(person.pk)) for person in page.object_list]
    counts = open_counts(request.user)
    query = urlencode({name: value for name, value in (("q", q), ("hidden", "1" if hidden else "")) if value})
    context = {
        "page": page,
        "shown": shown,
        "q": q,
        "hidden": hidden,
        "query": f"{query}&" if query else "",
        "waiting": counts["suggested"] + counts["grouped"],
        "singles": counts["single"],
    }
    return render(request, "people/people.html", context)


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: photos by year, what is suggested, who is often with them, whom they may be the same as."""
    found = person_or_404(request.user, pk)
    return render(request, "people/person.html", person_context(request, found))


def person_context(request: HttpRequest, found: Person, form: PersonForm | None = None) -> dict[str, Any]:
    """What the page of a person shows; ``form`` with what was not accepted."""
    user = request.user
    statistics = statistics_of(found, user)
    candidates = merge_candidates(found, user)
    covers = inbox.portraits(user, [found.pk, *(one.person.pk for one in candidates)])
    owner = bool(getattr(user, "is_superuser", False))
    return {
        "person": found,
        "cover": covers.get(found.pk),
        "statistics": statistics,
        "faces_count": faces_for(user).filter(person=found).count(),
        "years": _years(found, user, [(one.year, one.photos) for one in statistics.years]),
        "suggestions": inbox.items(user, SUGGESTED, person_id=found.pk),
        "eras": _eras(found, user),
        "often_with": statistics.companions,
        "candidates": [{"candidate": one, "cover": covers.get(one.person.pk)} for one in candidates],
        "form": form or PersonForm(instance=found, owner=owner),
        "names": inbox.names(user),
        "search_url": search_url(found.name),
        "download_url": search_url(found.name, view="export", format="zip"),
    }


def search_url(name: str, *more: str, view: str = "search", **parameters: str) -> str:
    """The search for somebody's photos, with further words of the query; or another view of its results."""
    quoted = name.replace('"', " ")
    query = " ".join([f'person:"{quoted}"', *more])
    return f"{reverse(f'search:{view}')}?{urlencode({'q': query, **parameters})}"


def _years(found: Person, user: User, counts: list[tuple[int | None, int]]) -> list[Year]:
    """The latest years with some photos each; always two statements."""
    mine = gallery_photos(user).filter(faces__person=found).distinct()
    wanted: dict[int | None, list[int]] = {}
    for pk, taken in mine.newest_first().values_list("pk", "taken_local"):
        some = wanted.setdefault(taken.year if taken else None, [])
        if len(some) < YEAR_PHOTOS:
            some.append(pk)
    shown = dict(list(wanted.items())[:MOST_YEARS])
    photos = {
        photo.pk: photo
        for photo in with_details(
            gallery_photos(user).filter(pk__in=[pk for some in shown.values() for pk in some]), user
        )
    }
    total = dict(counts)
    return [
        Year(
            year,
            total.get(year, len(some)),
            [photos[pk] for pk in some if pk in photos],
            search_url(found.name, f"year:{year}") if year else search_url(found.name),
        )
        for year, some in shown.items()
    ]


def _eras(found: Person, user: User) -> list[dict[str, Any]]:
    """How well each age is known, with the faces that stand for it."""
    covered = coverage_of(found, user)
    rows = Prototype.objects.filter(person=found, face__in=faces_for(user).values("pk")).order_by(
        "-pinned", "-quality", "pk"
    )
    chosen = list(rows.values_list("face", "age_era", "pinned"))
    faces = inbox.with_photo(faces_for(user)).in_bulk([face for face, _, _ in chosen])
    return [
        {
            "coverage": one,
            "faces": [faces[face] for face, era, _ in chosen if era == one.era and face in faces][:4],
        }
        for one in covered
    ]
