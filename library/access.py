"""Who may see what. Every door to a photo goes through here; nothing else decides about access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q
from django.http import Http404

from library.models import Photo, PhotoFile, PhotoQuerySet, Root

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def photos_for(user: AbstractBaseUser | AnonymousUser) -> PhotoQuerySet:
    """All photos this user may see: those with a file in a root that is open to them. Owners see all."""
    photos: PhotoQuerySet = Photo.objects.all()
    if not user.is_authenticated:
        return photos.none()
    if getattr(user, "is_superuser", False):
        return photos
    open_roots = Root.objects.visible_to(user).values("pk")
    files = PhotoFile.objects.filter(photo=OuterRef("pk"), root__in=open_roots)
    # Where a file was says nothing about who may see it now, unless nobody has the photo any more.
    return photos.filter(Exists(files.present()) | Q(missing_since__isnull=False) & Exists(files))


def photo_or_404(
    user: AbstractBaseUser | AnonymousUser, pk: int, *, photos: PhotoQuerySet | None = None
) -> Photo:
    """The photo if this user may see it; a photo that may not be seen looks like one that is not there."""
    queryset = photos_for(user) if photos is None else photos & photos_for(user)
    photo = queryset.filter(pk=pk).first()
    if photo is None:
        raise Http404
    return photo


def files_for(user: AbstractBaseUser | AnonymousUser, photo: Photo) -> list[PhotoFile]:
    """The files of a photo that lie in roots this user may see."""
    files = photo.files.select_related("root").order_by("missing_since", "pk")
    if not user.is_authenticated:
        return []
    if not getattr(user, "is_superuser", False):
        files = files.filter(root__in=Root.objects.visible_to(user).values("pk"))
    return list(files)


def hidden_roots(user: AbstractBaseUser | AnonymousUser) -> list[int]:
    """The keys of the roots this user may not see; none, without a query, for owners."""
    if getattr(user, "is_superuser", False):
        return []
    roots = Root.objects.order_by("pk")
    if user.is_authenticated:
        roots = roots.exclude(pk__in=Root.objects.visible_to(user).values("pk"))
    return list(roots.values_list("pk", flat=True))
