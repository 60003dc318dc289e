"""Bytes of photos, for those who may see them.

An address that carries the right version (``?v=`` and the first digits of the content's hash) never changes
its answer and is cached for ever; any other is asked for again with its ETag. Nothing is cached by proxies.
"""

from __future__ import annotations

import os
import re
from typing import BinaryIO
from urllib.parse import quote

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from library import storage
from library.access import files_for, photo_or_404
from library.models import Photo, Root, VideoPart

VERSION_DIGITS = 12
ONE_YEAR = 60 * 60 * 24 * 365
#: What a browser may be told an original is. Anything else, SVG and HTML above all, is only ever bytes.
SAFE_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "HEIF": "image/heif",
    "HEIC": "image/heic",
    "AVIF": "image/avif",
}
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?", re.ASCII)


@require_safe
def thumbnail(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The small picture of the gallery."""
    return _rendition(request, photo_or_404(request.user, pk), "thumbnail")


@require_safe
def preview(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The large picture of the photo page."""
    return _rendition(request, photo_or_404(request.user, pk), "preview")


@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file itself, as a download; a part of it when one range is asked for."""
    photo = photo_or_404(request.user, pk)
    if not photo.sha256:
        raise Http404("This photo was not read yet.")
    etag = f'"{photo.sha256}-original"'
    if _known(request, etag):
        return _finish(HttpResponse(status=304), request, photo, etag)
    try:
        file, stream = storage.open_original(photo, files=files_for(request.user, photo))
    except storage.OriginalMissing:
        return _gone()
    response = _whole_or_part(request, stream, etag)
    response["Content-Type"] = SAFE_TYPES.get(photo.format.upper(), "application/octet-stream")
    response["Content-Disposition"] = content_disposition(file.name)
    response["Accept-Ranges"] = "bytes"
    return _finish(response, request, photo, etag)


@require_safe
def video(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The moving part of a photo, to be played; a part of it when one range is asked for."""
    photo = photo_or_404(request.user, pk)
    part = VideoPart.objects.select_related("root").filter(photo=photo).first()
    if part is None or not photo.sha256 or not _may_see(request, part):
        raise Http404("This photo does not move.")
    try:
        stream = storage.open_video(photo, part, files=files_for(request.user, photo))
    except storage.OriginalMissing:
        return _gone()
    # A file beside the photo may be exchanged without the photo knowing.
    changed = "" if part.root_id is None else f"-{os.fstat(stream.fileno()).st_mtime_ns:x}"
    etag = f'"{photo.sha256}-video{changed}"'
    if _known(request, etag):
        stream.close()
        return _finish(HttpResponse(status=304), request, photo, etag)
    response = _whole_or_part(request, stream, etag, part.offset, part.length)
    # QuickTime files are MP4's elder brothers; browsers that play them ask for this name.
    response["Content-Type"] = "video/mp4"
    response["Accept-Ranges"] = "bytes"
    return _finish(response, request, photo, etag)


def _may_see(request: HttpRequest, part: VideoPart) -> bool:
    if part.root_id is None or getattr(request.user, "is_superuser", False):
        return True
    return Root.objects.visible_to(request.user).filter(pk=part.root_id).exists()


def content_disposition(name: str) -> str:
    """A download under this name: plain ASCII for old clients and RFC 5987 for the real name."""
    clean = "".join(char if char.isprintable() else "_" for char in name) or "photo"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_").replace("\\", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='', errors='replace')}"


def _rendition(request: HttpRequest, photo: Photo, kind: storage.Rendition) -> HttpResponseBase:
    if not photo.sha256:
        return _gone()
    etag = f'"{photo.sha256}-{kind}"'
    if _known(request, etag):
        return _finish(HttpResponse(status=304), request, photo, etag)
    try:
        stream = storage.rendition_path(photo.sha256, kind).open("rb")
    except FileNotFoundError:
        return _gone()
    return _finish(FileResponse(stream, content_type="image/jpeg"), request, photo, etag)


def _known(request: HttpRequest, etag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in {tag.removeprefix("W/") for tag in known}


def _finish(response: HttpResponseBase, request: HttpRequest, photo: Photo, etag: str) -> HttpResponseBase:
    version = request.GET.get("v")
    if version and photo.sha256 and version == photo.sha256[:VERSION_DIGITS]:
        patch_cache_control(response, private=True, max_age=ONE_YEAR, immutable=True)
    else:
        patch_cache_control(response, private=True, no_cache=True)
    response["ETag"] = etag
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox"
    return response


def _gone() -> HttpResponse:
    response = HttpResponse("This picture is not there.", status=404, content_type="text/plain")
    response["Cache-Control"] = "no-store"
    return response


def _whole_or_part(
    request: HttpRequest, stream: BinaryIO, etag: str, start: int = 0, length: int | None = None
) -> HttpResponseBase:
    """The stretch of the file that begins at ``start``, or the range of it that is asked for."""
    size = max(stream.seek(0, 2) - start, 0)
    size = size if length is None else min(size, length)
    stream.seek(start)
    wanted = _wanted_range(request, size, etag)
    if wanted is None:
        response: HttpResponseBase = FileResponse(stream if length is None else _Part(stream, size))
        response["Content-Length"] = str(size)
        return response
    first, last = wanted
    if first > last:
        stream.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    stream.seek(start + first)
    response = FileResponse(_Part(stream, last - first + 1), status=206)
    response["Content-Length"] = str(last - first + 1)
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response


def _wanted_range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """The one range that is asked for, clipped to the file; first > last when it lies outside (RFC 9110)."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or not any(match.groups()) or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if first is None:
        return max(size - int(last), 0) if int(last) else size, size - 1
    if last is not None and int(last) < int(first):
        return None
    return int(first), min(int(last or size), size - 1)


class _Part:
    """The next ``length`` bytes of a file, as FileResponse wants them."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self.stream = stream
        self.left = length

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, never past the part's end."""
        chunk = self.stream.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file below."""
        self.stream.close()
