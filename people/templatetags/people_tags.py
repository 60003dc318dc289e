"""Faces for pages of the floors below: templates are put together at the top."""

from __future__ import annotations

from django import template

from library.models import Photo
from people.models import Face, ImportedName

register = template.Library()


@register.simple_tag
def photo_faces(photo: Photo) -> list[Face]:
    """The faces of a photo from left to right, without their embeddings and without what is no face."""
    faces = Face.objects.filter(photo=photo, status__in=(Face.Status.FACE, Face.Status.IGNORED))
    return list(faces.defer("embedding").order_by("x", "pk"))


@register.simple_tag
def photo_names(photo: Photo) -> list[str]:
    """Whom other programs named in the photo, each once, as they are called now."""
    named = ImportedName.objects.filter(photo=photo, person__removed=False).order_by("x", "pk")
    people = (name.person.merged_into or name.person for name in named.select_related("person__merged_into"))
    return list(dict.fromkeys(person.name for person in people if not person.hidden))
