"""Faces for pages of the floors below: templates are put together at the top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from library.models import Photo
from people import inbox, presentation
from people.models import ImportedName

register = template.Library()

register.filter("portrait_url", presentation.portrait_url)


@register.simple_tag(takes_context=True)
def photo_faces(context: dict[str, Any], photo: Photo) -> list[inbox.PhotoFace]:
    """The faces of a photo from left to right, with whom they are, for the user of the page."""
    return inbox.photo_faces(photo, context["request"].user)


@register.simple_tag(takes_context=True)
def drawing(context: dict[str, Any], faces: Sequence[inbox.PhotoFace]) -> dict[str, Any]:
    """The face whose box is to be moved (``?move=``), if any, and its box in percent."""
    wanted = context["request"].GET.get("move", "")
    found = next((item for item in faces if str(item.face.pk) == wanted), None)
    if found is None:
        return {"face": None}
    sides = {name: f"{100 * getattr(found.face, name):.1f}" for name in ("x", "y", "width", "height")}
    return {"face": found, **sides}


@register.simple_tag(takes_context=True)
def people_names(context: dict[str, Any]) -> list[str]:
    """Names to choose from while typing."""
    return inbox.names(context["request"].user)


@register.simple_tag
def photo_names(photo: Photo) -> list[str]:
    """Whom other programs named in the photo, each once."""
    names = ImportedName.objects.filter(photo=photo, person__hidden=False)
    return list(dict.fromkeys(names.values_list("person__name", flat=True)))
