"""Results to take away, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from library.views.chosen import chosen_photos
from photos_project.http import back_to
from search import export, found


@dataclass(frozen=True, slots=True)
class _Format:
    content_type: str
    write: Callable[[Iterable[int], export.User], Iterator[str] | Iterator[bytes]]


FORMATS: Final = {
    "csv": _Format("text/csv; charset=utf-8", export.csv_lines),
    "json": _Format("application/json", export.json_lines),
    "zip": _Format("application/zip", export.zip_chunks),
}


@require_safe
def results(request: HttpRequest) -> HttpResponseBase:
    """All results of the search that the address asks for, as ``format``: csv, json or zip."""
    asked = found.Asked.of(request.GET)
    kind = FORMATS.get(request.GET.get("format", ""))
    if kind is None:
        return _no_format(request)
    return _streamed(request, kind, list(found.photo_ids(asked, request.user)))


@require_POST
def chosen(request: HttpRequest) -> HttpResponseBase:
    """The photos that were ticked (``photo``, several), as ``format``."""
    kind = FORMATS.get(request.GET.get("format", ""))
    if kind is None:
        return _no_format(request)
    photo_ids = chosen_photos(request)
    if not photo_ids:
        messages.error(request, "No photo was chosen. Tick the photos you want to take away.")
        return redirect(back_to(request, reverse("search:search")))
    return _streamed(request, kind, photo_ids)


def _no_format(request: HttpRequest) -> HttpResponse:
    reason = f"An export is one of {', '.join(FORMATS)}: format=csv, for instance."
    return render(request, "400.html", {"reason": reason}, status=400)


def _streamed(request: HttpRequest, kind: _Format, photo_ids: list[int]) -> HttpResponseBase:
    ending = next(name for name, other in FORMATS.items() if other is kind)
    name = f"heirloom-{timezone.localdate():%Y-%m-%d}.{ending}"
    response = StreamingHttpResponse(kind.write(photo_ids, request.user), content_type=kind.content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold it back until it has much of it
    return response
