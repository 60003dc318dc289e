"""Where the bytes of a photo lie."""

from __future__ import annotations

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Func, IntegerField, Q, Value
from django.db.models.functions import Left, Lower

from library.models.photo import Photo
from library.models.root import Root

PATH_START = 200
"""Characters of a path that are indexed."""


class PhotoFileQuerySet(models.QuerySet["PhotoFile"]):
    """Queries over files."""

    def present(self) -> PhotoFileQuerySet:
        """Files that were there when they were last looked for."""
        return self.filter(missing_since__isnull=True)

    def in_folder(self, folder: bytes, *, deep: bool = True) -> PhotoFileQuerySet:
        """Files below a folder of their root (empty: the root); with ``deep=False`` those right in it."""
        files = self
        if folder:
            # '0' is the byte after '/': everything between the two lies below the folder.
            files = files.filter(relative_path__gte=folder + b"/", relative_path__lt=folder + b"0")
        if deep:
            return files
        name = Func(F("relative_path"), Value(len(folder) + 2 if folder else 1), function="substring")
        slash = Func(
            Value(b"/"),
            name,
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=IntegerField(),
        )
        return files.alias(slash=slash).filter(slash=0)

    def below(self, folder: str) -> PhotoFileQuerySet:
        """Files below a folder of their root, by its name for people, whatever its case."""
        start = folder.strip("/") + "/"
        cut = self.alias(path_start=Lower(Left("display_path", PATH_START)))
        files = cut.filter(path_start__startswith=start[:PATH_START].lower())
        return files if len(start) <= PATH_START else files.filter(display_path__istartswith=start)

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
    sidecar_ns = models.BigIntegerField(
        default=0, help_text="Time of change of the XMP file beside it; 0 without one."
    )
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
            # Paths by how they begin, whatever their case; cut, because an index entry may not be longer.
            models.Index(
                OpClass(Lower(Left("display_path", PATH_START)), name="text_pattern_ops"),
                name="photo_file_path_start",
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
