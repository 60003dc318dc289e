"""Where the bytes of a photo lie."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Func, Q

from library.models.photo import Photo
from library.models.root import Root


class PhotoFileQuerySet(models.QuerySet["PhotoFile"]):
    """Queries over files."""

    def present(self) -> PhotoFileQuerySet:
        """Files that were there when they were last looked for."""
        return self.filter(missing_since__isnull=True)

    def distrust(self) -> int:
        """Let no file of these pass for unchanged when it is seen again: its photo has other bytes by now."""
        return self.update(size=-1, mtime_ns=-1)


class PhotoFile(models.Model):
    """One file below a root. Two files with the same bytes belong to the same photo."""

    root = models.ForeignKey(Root, on_delete=models.CASCADE, related_name="files")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="files")
    relative_path = models.BinaryField(
        max_length=4096, help_text="The bytes of the file system, below the root."
    )
    display_path = models.TextField(help_text="The same for people and for search.")
    size = models.BigIntegerField(help_text="Bytes.")
    mtime_ns = models.BigIntegerField()
    seen_at = models.DateTimeField(help_text="When the file was found in the form recorded here.")
    missing_since = models.DateTimeField(null=True)

    objects = PhotoFileQuerySet.as_manager()

    class Meta:
        constraints = (
            # A path can be longer than an index entry may be, so its digest is what is unique.
            models.UniqueConstraint(
                F("root"), Func(F("relative_path"), function="sha256"), name="photo_file_unique_path"
            ),
        )
        indexes = (
            models.Index(
                fields=("root",), condition=Q(missing_since__isnull=True), name="photo_file_present"
            ),
        )

    def __str__(self) -> str:
        return self.display_path

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.display_path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folders below the root, without the file's name; empty at the top."""
        return self.display_path.rpartition("/")[0]
