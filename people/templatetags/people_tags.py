"""Faces for pages of the floors below: templates are put together at the top."""

from __future__ import annotations

from django import template

from library.models import Photo
from people.models import Face, ImportedName

register = template.Library()


@register.simple_tag
def photo_faces(photo: Photo) -> list[Face]:
    """The faces of a photo from left to right, without their embeddings."""
    return list(Face.objects.filter(photo=photo).defer("embedding").order_by("x", "pk"))


@register.simple_tag
def photo_names(photo: Photo) -> list[str]:
    """Whom other programs named in the photo, each once."""
    names = ImportedName.objects.filter(photo=photo, person__hidden=False)
    return list(dict.fromkeys(names.values_list("person__name", flat=True)))
