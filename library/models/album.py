"""Albums: photos put together under a title."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.db.models import Q

from library.models.photo import Photo


class AlbumQuerySet(models.QuerySet["Album"]):
    """Queries over albums."""

    def imported(self, *, source: str, title: str, description: str = "") -> Album:
        """The album of this title that came from this source; made when it is not there yet.

        An export that was split into several folders gives one album.
        """
        album, _ = self.get_or_create(source=source, title=title, defaults={"description": description})
        return album


class Album(models.Model):
    """A title with photos. Who may see which of them is decided photo by photo, in ``library.access``."""

    class Source(models.TextChoices):
        """Where it came from; empty: made here."""

        TAKEOUT = "takeout", "Google Photos"

    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=10, choices=Source, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who may change it beside the owner; empty for imported ones.",
    )
    photos = models.ManyToManyField(Photo, through="library.AlbumPhoto", related_name="albums")

    objects = AlbumQuerySet.as_manager()

    class Meta:
        ordering = ("title", "pk")
        constraints = (
            models.UniqueConstraint(
                fields=("source", "title"), condition=~Q(source=""), name="album_unique_import"
            ),
        )

    def __str__(self) -> str:
        return self.title

    def add(self, photo_ids: Iterable[int]) -> None:
        """Put photos in; those that are in it already stay where they are."""
        AlbumPhoto.objects.bulk_create(
            [AlbumPhoto(album=self, photo_id=photo_id) for photo_id in photo_ids], ignore_conflicts=True
        )


class AlbumPhoto(models.Model):
    """A photo in an album."""

    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="entries")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="album_entries")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("album", "photo"), name="album_photo_unique"),)

    def __str__(self) -> str:
        return f"Photo {self.photo_id} in album {self.album_id}"
