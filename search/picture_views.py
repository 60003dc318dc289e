"""A picture that somebody brings along to search by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from search import pictures
from search.by_picture import USUAL_WEIGHT, WEIGHTS
from search.found import Asked
from search.query import MAX_LENGTH, SearchQuery
from vision.imaging.palette import PALETTE

FORM_BYTES = 100_000
"""What a form around the picture may add."""


@dataclass(frozen=True, slots=True)
class Way:
    """A link to another search; ``code`` of a colour is ``#rrggbb``."""

    text: str
    url: str
    current: bool = False
    code: str = ""


def by_picture_context(asked: Asked, query: SearchQuery) -> dict[str, object]:
    """What ``_by_picture.html`` shows beside the picture: by which colours and how else one can search."""
    mixed = bool(query.free_text and asked.by_picture and not asked.face)
    weights = [
        Way(text, asked.but(weight="" if weight == USUAL_WEIGHT else weight).url(), weight == current)
        for weight, text in WEIGHTS.items()
        for current in (asked.weight or USUAL_WEIGHT,)
    ]
    colours = [
        Way(colour.name, url=_with_colour(asked, colour.name), code=f"#{colour.examples[0]}")
        for colour in PALETTE
    ]
    return {
        "weights": weights if mixed else [],
        "colours": colours,
        "without_picture": asked.without_picture().url(),
        "most_bytes": pictures.MAX_BYTES,
    }


def _with_colour(asked: Asked, name: str) -> str:
    return asked.but(q=f"{asked.q} color:{name}".strip()).url()


class _InMemory(MemoryFileUploadHandler):
    """Keeps every file in memory: Django's own handlers write large ones to disk."""

    def handle_raw_input(self, *args: Any, **options: Any) -> None:
        """Whatever its size, which was looked at before."""
        self.activated = True


@require_POST
@csrf_exempt  # the check reads the form, which must not happen before the handlers are in place; see below
def search_by_picture(request: HttpRequest) -> HttpResponse:
    """Parameters: ``picture`` a file, ``q`` what is in the box. Leads to the search by this picture."""
    length = request.headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()) or int(length) > pictures.MAX_BYTES + FORM_BYTES:
        most = number_format(pictures.MAX_BYTES // 1_000_000)
        return _back(request, "", f"This file is too large to search by: at most {most} MB are taken.")
    request.upload_handlers = [_InMemory(request)]
    return _take(request)


@csrf_protect
def _take(request: HttpRequest) -> HttpResponse:
    text = request.POST.get("q", "").strip()[:MAX_LENGTH]
    file = request.FILES.get("picture")
    if file is None:
        return _back(request, text, "Choose a picture first.")
    try:
        token = pictures.keep(request.user, file.read(), file.name or "")
    except pictures.PictureRefused as refused:
        return _back(request, text, str(refused))
    return redirect(_address(q=text, picture=token))


def _back(request: HttpRequest, text: str, message: str) -> HttpResponse:
    messages.error(request, message)
    return redirect(_address(q=text))


def _address(**parameters: str) -> str:
    given = {name: value for name, value in parameters.items() if value}
    return reverse("search:search") + (f"?{urlencode(given)}" if given else "")
