"""Photos of people, for the floors above: by the names a user may know, as people are now."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from people.access import people_for
from people.models import Face, ImportedName, Person

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def names_for(user: AbstractBaseUser | AnonymousUser) -> list[tuple[int, str]]:
    """Key and name of everybody this user may know of and who is not hidden; also names merged away."""
    known = people_for(user).filter(hidden=False)
    now = Coalesce("merged_into_id", "pk")
    named = Person.objects.filter(removed=False).annotate(now=now).filter(now__in=known.values("pk"))
    return list(named.order_by("pk").values_list("now", "name"))


def faces_of(person_ids: Collection[int]) -> QuerySet[Face]:
    """The faces of these people. ``values("photo")`` of it are their photos."""
    return Face.objects.filter(person__in=person_ids).order_by()


def names_without_faces(person_ids: Collection[int]) -> QuerySet[ImportedName]:
    """Where other programs named these people and no face was found for it."""
    whom = Q(person__in=person_ids) | Q(person__merged_into__in=person_ids)
    return ImportedName.objects.filter(whom, face__isnull=True).order_by()
