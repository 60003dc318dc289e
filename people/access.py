"""Who may know of whom. Every door to faces and people goes through here, and through ``library.access``.

A member sees the faces in photos that they may see, and the people these are. Somebody whose faces and names
all lie in closed roots is not there for them: no name, no number, no cover. Somebody without any face is only
there for owners, for whoever made them, and for themselves: the last face may have been in a closed root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404

from library.access import photos_for
from library.models import PhotoQuerySet
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
    named = ImportedName.objects.filter(
        Q(person=OuterRef("pk")) | Q(person__merged_into=OuterRef("pk")), photo__in=photos
    )
    anywhere = Face.objects.filter(person=OuterRef("pk"))
    made = PeopleEvent.objects.filter(
        person=OuterRef("pk"), by=user.pk, kind__in=(PeopleEvent.Kind.CREATE_PERSON, PeopleEvent.Kind.SPLIT)
    )
    own = ~Exists(anywhere) & Exists(made)
    return people.filter(Exists(here) | Exists(named) | own | Q(user=user.pk))


def with_figures(user: User, people: PersonQuerySet | None = None) -> PersonQuerySet:
    """These people (by default all this user may know of) as this user sees them.

    Annotated: ``photo_count``, the photos that can be looked at; ``first_taken`` and ``last_taken``;
    ``seen_cover``, the key of the face to show: the chosen one if it may be seen, else a confirmed good one.
    """
    known = people_for(user)
    if people is not None:
        known = known & people
    theirs = faces_for(user).filter(person=OuterRef("pk"), photo__in=shown_photos(user)).order_by()
    per_person = theirs.values("person")
    covers = theirs.order_by(
        # The chosen one, then what people said, then the best.
        F("person__cover").asc(nulls_last=True),
    )
    count = per_person.annotate(number=Count("pk")).values("number")
    return known.annotate(
        photo_count=Coalesce(Subquery(count, output_field=IntegerField()), 0), seen_cover=covers.values("pk")[:1]
    )


def shown_photos(user: User) -> PhotoQuerySet:
    """The photos that this user can look at."""
    return photos_for(user).shown()


def clusters_for(user: User) -> QuerySet[FaceCluster]:
    """Clusters of unknown faces of which this user may see one."""
    clusters = FaceCluster.objects.all()
    if _sees_all(user):
        return clusters
    return clusters.filter(Exists(faces_for(user).filter(cluster=OuterRef("pk"))))


def _sees_all(user: User) -> bool:
    return bool(user.is_authenticated and getattr(user, "is_superuser", False))
