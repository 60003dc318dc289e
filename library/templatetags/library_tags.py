"""Filters that turn photos into what templates print."""

from __future__ import annotations

import base64

from django import template
from django.urls import reverse

from library import presentation
from library.models import Album, Photo

register = template.Library()

register.filter("alt_text", presentation.alt_text)
register.filter("ratio_class", presentation.ratio_class)
register.filter("file_name", presentation.file_name)
register.filter("coordinates", presentation.coordinates)
register.filter("colour_names", presentation.colour_names)
register.filter("utc_offset", presentation.utc_offset)


@register.filter
def thumbnail_url(photo: Photo) -> str:
    """The address of the thumbnail, with the content's version so that it may be cached for ever."""
    return _media_url("library:thumbnail", photo)


@register.filter
def preview_url(photo: Photo) -> str:
    """The address of the preview, with the content's version."""
    return _media_url("library:preview", photo)


@register.filter
def video_url(photo: Photo) -> str:
    """The address of the photo's moving part, with the content's version."""
    return _media_url("library:video", photo)


@register.filter(name="base64")
def to_base64(value: bytes | memoryview) -> str:
    """Bytes as base64."""
    return base64.b64encode(bytes(value)).decode("ascii")


@register.filter
def album_query(album: Album) -> str:
    """The words by which a search finds the photos of this album."""
    title = " ".join(album.title.replace('"', " ").split())
    return f'album:"{title}"'


@register.filter
def percent(value: float | None) -> str:
    """0.873 as ``87 %``."""
    return "" if value is None else f"{round(value * 100)} %"


@register.filter
def thousands(number: int) -> str:
    """12345 as ``12,345``."""
    return f"{number:,}"


@register.filter
def minutes_and_seconds(seconds: int | None) -> str:
    """A waiting time as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _media_url(name: str, photo: Photo) -> str:
    address = reverse(name, args=[photo.pk])
    return f"{address}?v={photo.sha256[:12]}" if photo.sha256 else address
