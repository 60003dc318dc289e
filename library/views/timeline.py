"""The gallery: one URL for the page and for the fragment that the endless scroll asks for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from library import timeline as cut
from library.models import PhotoQuerySet
from photos_project.http import is_fragment


@require_safe
@vary_on_headers("HX-Request")
def timeline(request: HttpRequest) -> HttpResponse:
    """A page of photos: from the top, after ``cursor``, from the end of ``year``, or around ``photo``."""
    photos = cut.gallery_photos(request.user)
    try:
        cursor = _start(request, photos)
    except cut.BadCursor as error:
        return render(request, "400.html", {"reason": str(error)}, status=400)
    page = cut.page_after(cut.with_details(photos, request.user), cursor)
    if is_fragment(request):
        return render(request, "library/_months.html", {"page": page, "fragment": True})
    newer, above = cut.cursor_before(photos, cursor) if cursor else (False, None)
    context = {"page": page, "years": cut.years(photos), "has_newer": newer, "newer": above}
    return render(request, "library/timeline.html", context)


def _start(request: HttpRequest, photos: PhotoQuerySet) -> cut.Cursor | None:
    if text := request.GET.get("cursor"):
        return cut.Cursor.parse(text)
    if text := request.GET.get("year"):
        return cut.cursor_of_year(_number(text, "year"))
    if text := request.GET.get("photo"):
        # One that is gone, hidden or foreign leads to the top: the page is about its neighbours.
        photo = photos.filter(pk=_number(text, "photo")).first()
        return cut.cursor_above(photos, photo, cut.NEWER_ABOVE) if photo else None
    return None


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise cut.BadCursor(f"{name}={text[:60]} is not a number.")
    return int(text)
