"""How faces and people are put into words for a page: pure, no queries."""

from __future__ import annotations

import hashlib

from django.urls import reverse

from people.models import Face


def portrait_version(face: Face) -> str:
    """Changes with the photo's content and the face's box; ``face.photo`` must be loaded."""
    text = f"{face.photo.sha256} {face.x:.5f} {face.y:.5f} {face.width:.5f} {face.height:.5f}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def portrait_url(face: Face) -> str:
    """The address of the face's small picture, with its version so that it may be cached for ever."""
    return f"{reverse('people:portrait', args=[face.pk])}?v={portrait_version(face)}"
