"""The moving part of a photo."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from library.models.photo import Photo
from library.models.root import Root


class VideoPart(models.Model):
    """The video of a motion photo (a stretch of the photo's own file) or a live photo (a file beside it)."""

    class Kind(models.TextChoices):
        """Where it lies."""

        MOTION = "motion", "inside the photo"
        LIVE = "live", "beside the photo"

    photo = models.OneToOneField(Photo, on_delete=models.CASCADE, related_name="video", primary_key=True)
    kind = models.CharField(max_length=6, choices=Kind)
    offset = models.BigIntegerField(default=0, help_text="First byte.")
    length = models.BigIntegerField(null=True, help_text="Bytes; empty: to the end.")
    root = models.ForeignKey(Root, on_delete=models.CASCADE, null=True, related_name="+")
    relative_path = models.BinaryField(max_length=4096, null=True, help_text="Of the file beside the photo.")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(kind="motion", root__isnull=True) | Q(kind="live", root__isnull=False),
                name="video_part_has_place",
            ),
        )

    def __str__(self) -> str:
        return f"Video of photo {self.photo_id}"
