"""Uploads over HTTP: announce a file, send it in pieces, ask how far it is, take it back.

The manner is that of tus: ``POST`` announces and answers with the address and the offset to go on from,
``PATCH`` with ``Upload-Offset`` appends the body, the last byte finishes. Errors are JSON with a sentence.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ingest import uploads as box
from ingest.models import Upload
from ingest.tasks import wake
from ingest.upload_rules import MOST_OPEN, Announced, UploadRefused, may_upload
from library.access import photos_for
from library.models import Photo

#: What a browser sends at once. After a break at most this much is sent again.
CHUNK_BYTES = 4 << 20
View = Callable[..., HttpResponse]


def _in_words(view: View) -> View:
    """Refusals become JSON."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except UploadRefused as refusal:
            return JsonResponse({"error": str(refusal)}, status=refusal.status)

    return wrapped


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """A form that needs no script; sent, its files are taken or refused one by one."""
    user = cast(User, request.user)
    if request.method == "POST":
        added = 0
        for file in request.FILES.getlist("files"):
            try:
                if known := _take_whole(user, file):
                    messages.info(request, f"{file.name} is in the library already (photo {known.pk}).")
                else:
                    added += 1
            except UploadRefused as refusal:
                messages.error(request, str(refusal))
        if added:
            wake("files")
            messages.success(request, f"{added} photo{'s' if added != 1 else ''} added.")
        return redirect("ingest:upload")
    return render(request, "ingest/upload.html", {"allowed": may_upload(user)})


def _take_whole(user: User, file: UploadedFile[Any]) -> Photo | None:
    upload = box.begin(user, Announced(name=file.name or "", size=file.size or 0))
    box.append(upload, box.offset(upload), _skipping(file, box.offset(upload)))
    return box.finish(upload)


def _skipping(file: UploadedFile[Any], start: int) -> Callable[[int], bytes]:
    file.seek(start)
    read: Callable[[int], bytes] = file.read
    return read


@never_cache
@require_http_methods(["GET", "POST"])
@_in_words
def uploads(request: HttpRequest) -> HttpResponse:
    """What of mine is not finished; or announce a file: new, begun before, or known."""
    user = cast(User, request.user)
    if request.method == "GET":
        open_ones = Upload.objects.filter(user=user, finished_at=None)
        return JsonResponse({"uploads": [_state(upload) for upload in open_ones[:MOST_OPEN]]})
    announced = _announced(request)
    if may_upload(user) and (known := box.known_photo(user, announced.sha256)):
        return JsonResponse({"known": True, "photo": reverse("library:photo", args=[known.pk])})
    upload = box.begin(user, announced)
    state = _state(upload) | {"chunk": CHUNK_BYTES}
    return JsonResponse(state, status=201, headers={"Location": state["url"]})


@never_cache
@require_http_methods(["GET", "HEAD", "PATCH", "DELETE"])
@_in_words
def upload(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One upload of mine: how far it is, the next piece, or its end."""
    found = get_object_or_404(Upload, pk=pk, user=cast(User, request.user))
    if request.method == "DELETE":
        if found.finished_at is None:
            box.discard(found)
        return HttpResponse(status=204)
    if request.method == "PATCH" and found.finished_at is None:
        return _append(request, found)
    return JsonResponse(_state(found), headers={"Upload-Offset": str(box.offset(found))})


def _append(request: HttpRequest, upload: Upload) -> HttpResponse:
    if not may_upload(upload.user):
        raise UploadRefused(f"{upload.name}: you may not upload photos here any more.", 403)
    at = request.headers.get("Upload-Offset", "")
    if not (at.isascii() and at.isdigit() and len(at) < 19):
        raise UploadRefused("The header Upload-Offset must say where these bytes belong.")
    try:
        end = box.append(upload, int(at), request.read)
    except UnreadablePostError:
        return JsonResponse({"error": f"{upload.name}: the connection broke off."}, status=400)
    if end < upload.size:
        return JsonResponse(_state(upload), headers={"Upload-Offset": str(end)})
    known = box.finish(upload)
    if known:
        return JsonResponse({"known": True, "photo": reverse("library:photo", args=[known.pk])})
    wake("files")
    return JsonResponse(_state(upload), headers={"Upload-Offset": str(end)})


def _state(upload: Upload) -> dict[str, Any]:
    photo = upload.file.photo if upload.file else None
    shown = photo and photos_for(upload.user).shown().filter(pk=photo.pk).exists()
    return {
        "id": str(upload.pk),
        "url": reverse("ingest:upload_one", args=[upload.pk]),
        "name": upload.name,
        "size": upload.size,
        "offset": box.offset(upload),
        "finished": upload.finished_at is not None,
        "failed": photo.error_message if photo and photo.state == Photo.State.FAILED else "",
        "photo": reverse("library:photo", args=[photo.pk]) if photo and shown else None,
        "thumbnail": reverse("library:thumbnail", args=[photo.pk]) if photo and shown else None,
    }


def _announced(request: HttpRequest) -> Announced:
    """Raises UploadRefused for anything but an object with a name and a size."""
    try:
        said = json.load(BytesIO(request.body))
        name, size = said["name"], said["size"]
        sha256, modified = said.get("sha256") or "", said.get("modified") or 0
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UploadRefused("JSON with the name and the size of a file is needed.") from error
    numbers = all(type(number) is int and abs(number) < 2**53 for number in (size, modified))
    if not (isinstance(name, str) and isinstance(sha256, str) and numbers):
        raise UploadRefused("JSON with the name and the size of a file is needed.")
    return Announced(name, size, sha256, modified)
