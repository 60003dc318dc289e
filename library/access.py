"""Who may see what. Every door to a photo goes through here; nothing else decides about access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import Http404

from library.models import Album, AlbumPhoto, Photo, PhotoFile, PhotoQuerySet, Root

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
    files = photo.files.select_related("root").order_by(F("missing_since").asc(nulls_first=True), "pk")
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


def album_entries_for(user: AbstractBaseUser | AnonymousUser) -> QuerySet[AlbumPhoto]:
    """The entries of albums of which this user may know: of photos they may see.

    The title of an imported album is the name of a folder, so for whoever may not see one of the roots in
    which a photo lies, the photo is in no imported album.
    """
    entries = AlbumPhoto.objects.filter(photo__in=photos_for(user).values("pk"))
    if getattr(user, "is_superuser", False) or not user.is_authenticated:
        return entries
    hidden = Root.objects.exclude(pk__in=Root.objects.visible_to(user).values("pk")).values("pk")
    in_hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden)
    return entries.filter(Q(album__source="") | ~Exists(in_hidden))


def albums_for(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Album]:
    """The albums this user may know of: their own, and those with a photo they may see. Owners see all."""
    if not user.is_authenticated:
        return Album.objects.none()
    if getattr(user, "is_superuser", False):
        return Album.objects.all()
    entries = album_entries_for(user).filter(album=OuterRef("pk"))
    return Album.objects.filter(Q(created_by=user.pk) | Exists(entries))


def may_change_album(user: AbstractBaseUser | AnonymousUser, album: Album) -> bool:
    """Owners may change every album, everybody else those they made."""
    return getattr(user, "is_superuser", False) or (user.is_authenticated and album.created_by_id == user.pk)


def album_or_404(user: AbstractBaseUser | AnonymousUser, pk: int, *, to_change: bool = False) -> Album:
    """The album if this user may know of it, or with ``to_change`` only if they may change it."""
    album = albums_for(user).filter(pk=pk).first()
    if album is None or (to_change and not may_change_album(user, album)):
        raise Http404
    return album
