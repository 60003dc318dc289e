"""Photos of people and the names they are found by, as they are now, for the floors above.

Which photos and names a user may see is decided there, photo by photo: nothing here knows of users.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from people.models import Face, ImportedName, Person


def known_names() -> list[tuple[int, str]]:
    """Key and name of everybody who is not hidden. A name that was merged away stands with who it is now."""
    shown = Q(merged_into__isnull=True, hidden=False) | Q(merged_into__hidden=False)
    people = Person.objects.filter(shown, removed=False).order_by("name", "pk")
    return list(people.values_list(Coalesce("merged_into_id", "pk"), "name"))


def photos_of(person_ids: Collection[int]) -> QuerySet[Any, Any]:
    """The photos of these people, and those in which other programs named them without a face."""
    told = Q(person__in=person_ids) | Q(person__merged_into__in=person_ids)
    return _photos(Face.objects.filter(person__in=person_ids), ImportedName.objects.filter(told))


def photos_with_somebody() -> QuerySet[Any, Any]:
    """The photos of everybody who is not hidden."""
    shown = Q(person__merged_into__isnull=True, person__hidden=False) | Q(person__merged_into__hidden=False)
    told = ImportedName.objects.filter(shown, person__removed=False)
    return _photos(Face.objects.filter(person__hidden=False), told)


def people_by_photo() -> QuerySet[Any, Any]:
    """Pairs of photo and person; a pair may come twice."""
    faces = Face.objects.filter(person__isnull=False).order_by()
    told = ImportedName.objects.filter(face__isnull=True, person__removed=False).order_by()
    now = Coalesce("person__merged_into_id", "person_id")
    return faces.values_list("photo_id", "person_id").union(told.values_list("photo_id", now), all=True)


def _photos(faces: QuerySet[Face], told: QuerySet[ImportedName]) -> QuerySet[Any, Any]:
    placeless = told.filter(face__isnull=True).order_by()
    return faces.order_by().values("photo").union(placeless.values("photo"), all=True)
