"""Faces as small pictures, for those who may see the photo they are in."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from library.storage import Rendition, rendition_path
from library.views.media import ONE_YEAR
from people.access import faces_for
from people.models import Face
from people.presentation import portrait_version
from vision.errors import ImageRejected
from vision.imaging.portrait import PORTRAIT_EDGE, cut_portrait
from vision.imaging.renditions import THUMBNAIL_LONG_EDGE
from vision.results import Box


@require_safe
def portrait(request: HttpRequest, pk: int) -> HttpResponse:
    """The face with some air around it. With the right ``v`` the answer never changes and may be kept."""
    faces = faces_for(request.user).select_related("photo").defer("embedding", "photo__exif")
    face = get_object_or_404(faces, pk=pk)
    version = portrait_version(face)
    etag = f'"{version}-portrait"'
    if request.headers.get("If-None-Match") == etag:
        return _finish(HttpResponse(status=304), request, version, etag)
    if not face.photo.sha256:
        raise Http404("This photo was not read yet.")
    box = Box(face.x, face.y, face.width, face.height)
    try:
        content = cut_portrait(rendition_path(face.photo.sha256, _large_enough(face)), box)
    except (FileNotFoundError, ImageRejected) as error:
        raise Http404("This picture is not there.") from error
    return _finish(HttpResponse(content, content_type="image/jpeg"), request, version, etag)


def _large_enough(face: Face) -> Rendition:
    """A large face is sharp enough in the thumbnail, which is decoded in no time."""
    return "thumbnail" if max(face.width, face.height) * THUMBNAIL_LONG_EDGE >= PORTRAIT_EDGE else "preview"


def _finish(response: HttpResponse, request: HttpRequest, version: str, etag: str) -> HttpResponse:
    if request.GET.get("v") == version:
        patch_cache_control(response, private=True, max_age=ONE_YEAR, immutable=True)
    else:
        patch_cache_control(response, private=True, no_cache=True)
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    return response
