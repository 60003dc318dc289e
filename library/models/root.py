"""A folder of originals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class RootQuerySet(models.QuerySet["Root"]):
    """Queries over roots."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> RootQuerySet:
        """Roots open to everybody, and those opened to this user by name."""
        return self.filter(Q(visible_to__isnull=True) | Q(visible_to=user.pk)).distinct()


class Root(models.Model):
    """A folder of originals that Heirloom reads and never writes to.

    ``path`` holds the bytes of the file system, so that a folder whose name is not valid UTF-8 is usable.
    """

    name = models.CharField(max_length=200)
    path = models.BinaryField(unique=True, max_length=4096)
    watch = models.BooleanField(
        default=True, help_text="Watched for changes, and part of the scans that name no folder."
    )
    watched_at = models.DateTimeField(null=True, help_text="When the watch looked after it last.")
    notice = models.TextField(
        blank=True, help_text="What the watch has to say: the disk is away, or the folder is polled."
    )
    visible_to = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        through="library.RootViewer",
        blank=True,
        related_name="visible_roots",
        help_text="Who may see these photos. Nobody chosen means everybody who can log in.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RootQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name

    @property
    def display_path(self) -> str:
        """The path for people: bytes that are not UTF-8 are shown as replacement characters."""
        return bytes(self.path).decode("utf-8", "replace")


class RootViewer(models.Model):
    """Somebody who may see a root that is not open to everybody.

    Their account cannot be deleted while they are one: with its last viewer gone, the root would be open to
    everybody, and nobody would have said so.
    """

    root = models.ForeignKey(Root, on_delete=models.CASCADE, related_name="viewers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("root", "user"), name="root_viewer_unique"),)

    def __str__(self) -> str:
        return f"{self.user} may see {self.root}"
