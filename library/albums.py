"""Albums as a person may see them: the list with counts and covers, and the photos of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from library.access import album_entries_for, albums_for, photos_for
from library.models import Album, AlbumPhoto, Photo, PhotoQuerySet
from library.timeline import with_details

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User: TypeAlias = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, slots=True)
class Shelved:
    """An album in the list: how many of its photos this user may see, and the newest of them."""

    album: Album
    count: int
    cover: Photo | None


def counted_albums(user: User) -> QuerySet[Album]:
    """The albums of this user by title, each with ``shown`` and ``cover_pk``: only of what they may see."""
    shown = _shown_entries(user).filter(album=OuterRef("pk"))
    number = shown.order_by().values("album").annotate(number=Count("pk")).values("number")
    newest = shown.order_by("-photo__taken_local", "-photo").values("photo")[:1]
    return albums_for(user).annotate(
        shown=Coalesce(Subquery(number, output_field=IntegerField()), 0), cover_pk=Subquery(newest)
    )


def shelved(albums: Sequence[Album], user: User) -> list[Shelved]:
    """These rows of ``counted_albums`` with their covers, in a constant number of queries."""
    wanted = {pk for album in albums if (pk := getattr(album, "cover_pk", None))}
    covers = {photo.pk: photo for photo in with_details(photos_for(user).filter(pk__in=wanted), user)}
    return [
        Shelved(album, getattr(album, "shown", 0), covers.get(getattr(album, "cover_pk", 0)))
        for album in albums
    ]


def album_photos(album: Album, user: User) -> PhotoQuerySet:
    """The photos of an album that this user may see. Somebody chose them: none hides behind another."""
    entries = album_entries_for(user).filter(album=album)
    return photos_for(user).shown().filter(taken_local__isnull=False, pk__in=entries.values("photo"))


def changeable_albums(user: User) -> QuerySet[Album]:
    """The albums this user may put photos into, by title."""
    albums = albums_for(user)
    return albums if getattr(user, "is_superuser", False) else albums.filter(created_by=user.pk)


def _shown_entries(user: User) -> QuerySet[AlbumPhoto]:
    return album_entries_for(user).filter(
        photo__renditions_at__isnull=False,
        photo__missing_since__isnull=True,
        photo__taken_local__isnull=False,
    )
