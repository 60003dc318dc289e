"""Who may know of whom. Every door to faces and people goes through here, and through ``library.access``.

A member sees the faces in photos that they may see, and the people these are. Somebody whose faces and names
all lie in closed roots is not there for them: no name, no number, no cover. Somebody without any face is only
there for owners, for whoever made them, and for themselves: the last face may have been in a closed root.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    When,
)
from django.http import Http404

from library.access import photos_for
from library.timeline import gallery_photos
from people.models import Face, FaceCluster, ImportedName, PeopleEvent, Person

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from people.models.person import PersonQuerySet

    User: TypeAlias = AbstractBaseUser | AnonymousUser


def faces_for(user: User) -> QuerySet[Face]:
    """The faces in photos that this user may see, of every status, without embeddings."""
    faces = Face.objects.defer("embedding", "landmarks")
    if _sees_all(user):
        return faces
    return faces.filter(photo__in=photos_for(user))


def people_for(user: User) -> PersonQuerySet:
    """The people this user may know of, hidden ones too, without those who were merged or taken back."""
    people: PersonQuerySet = Person.objects.active()
    if not user.is_authenticated:
        return people.none()
    if _sees_all(user):
        return people
    photos = photos_for(user)
    here = Face.objects.filter(person=OuterRef("pk"), photo__in=photos)
    # Two questions: with OR between them the names of everybody are read for every person.
    named = ImportedName.objects.filter(person=OuterRef("pk"), photo__in=photos)
    merged = ImportedName.objects.filter(person__merged_into=OuterRef("pk"), photo__in=photos)
    anywhere = Face.objects.filter(person=OuterRef("pk"))
    made = PeopleEvent.objects.filter(
        person=OuterRef("pk"), by=user.pk, kind__in=(PeopleEvent.Kind.CREATE_PERSON, PeopleEvent.Kind.SPLIT)
    )
    own = ~Exists(anywhere) & Exists(made)
    return people.filter(Exists(here) | Exists(named) | Exists(merged) | own | Q(user=user.pk))


def person_or_404(user: User, pk: int) -> Person:
    """The person, if this user may know of it; one who was merged leads to who it is now."""
    found = Person.objects.filter(pk=pk).first()
    person = people_for(user).filter(pk=found.final_id if found else 0).first()
    if person is None:
        raise Http404
    return person


@dataclass(frozen=True, slots=True)
class Figures:
    """A person as one user sees them: photos of the gallery, their first and last (clock on the wall), and
    the key of the face to show: the chosen one if it may be seen, else the best confirmed one.
    """

    photos: int = 0
    first: datetime | None = None
    last: datetime | None = None
    cover: int | None = None


def figures_for(user: User, person_ids: Collection[int] | None = None) -> dict[int, Figures]:
    """The figures of these people, or of everybody, in two statements. Who has no photo to see is missing."""
    seen = _seen(user, person_ids)
    best_first = seen.order_by(
        "person_id",
        Case(When(person__cover=F("pk"), then=0), default=1),
        Case(When(person_source=Face.Source.HUMAN_CONFIRMED, then=0), default=1),
        "-quality",
        "pk",
    )
    covers = dict(best_first.distinct("person_id").values_list("person_id", "pk"))
    taken = F("photo__taken_local")
    rows = seen.values_list("person_id").annotate(Count("pk"), Min(taken), Max(taken))
    return {pk: Figures(count, first, last, covers.get(pk)) for pk, count, first, last in rows}


def photo_counts_for(user: User) -> dict[int, int]:
    """In how many photos of the gallery everybody is; a part of ``figures_for`` for a third of its time."""
    return dict(_seen(user, None).values_list("person_id").annotate(Count("pk")))


def _seen(user: User, person_ids: Collection[int] | None) -> QuerySet[Face]:
    seen = faces_for(user).filter(person__isnull=False, photo__in=gallery_photos(user)).order_by()
    return seen if person_ids is None else seen.filter(person__in=person_ids)


def events_for(user: User) -> QuerySet[PeopleEvent]:
    """The events this user may see and undo: owners all, others their own."""
    events = PeopleEvent.objects.select_related("by", "person", "undone_by__by")
    if _sees_all(user):
        return events
    return events.filter(by=user.pk) if user.is_authenticated else events.none()


def clusters_for(user: User) -> QuerySet[FaceCluster]:
    """Clusters of unknown faces of which this user may see one."""
    clusters = FaceCluster.objects.all()
    if _sees_all(user):
        return clusters
    return clusters.filter(Exists(faces_for(user).filter(cluster=OuterRef("pk"))))


def _sees_all(user: User) -> bool:
    return bool(user.is_authenticated and getattr(user, "is_superuser", False))
