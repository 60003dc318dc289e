"""The page of one photo."""

from __future__ import annotations

from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from library.access import files_for, photo_or_404, photos_for
from library.bursts import burst_of
from library.duplicates import group_of
from library.models import DetectedObject, OcrText, Photo, PhotoQuerySet
from library.presentation import exposure
from library.timeline import gallery_photos, neighbours, with_details


@require_safe
def photo(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that is known about one photo; one the user may not see is not there.

    ``q`` is the search that it was found by: the lines of its text that have its words are outlined.
    """
    detailed = with_details(photos_for(request.user), request.user)
    found = photo_or_404(request.user, pk, photos=detailed)
    newer, older = _neighbours(gallery_photos(request.user), found)
    shown = photos_for(request.user).shown()
    context = {
        "photo": found,
        "newer": newer,
        "older": older,
        "q": request.GET.get("q", "").strip(),
        "files": files_for(request.user, found),
        "exposure": exposure(found.exif),
        "tags": _by_category(found),
        "ocr": OcrText.objects.filter(photo=found).exclude(text="").first(),
        "burst": burst_of(found, with_details(shown, request.user)),
        "same_picture": group_of(found, with_details(shown, request.user)),
    }
    return render(request, "library/photo.html", context)


def _neighbours(photos: PhotoQuerySet, found: Photo) -> tuple[Photo | None, Photo | None]:
    return neighbours(photos, found) if found.taken_local else (None, None)


def _by_category(found: Photo) -> list[tuple[str, list[DetectedObject]]]:
    """Category name and tags, in the order of the categories; tags without one come last."""

    def position(tagged: DetectedObject) -> tuple[bool, int, str]:
        category = tagged.category
        return (category is None, category.position if category else 0, category.name if category else "")

    ordered = sorted(found.detected_objects.all(), key=position)
    return [(key[2] or "Other", list(tags)) for key, tags in groupby(ordered, key=position)]
