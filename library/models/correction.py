"""What a person knows better about when a photo was taken."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from library.models.photo import Photo


class TimeCorrection(models.Model):
    """A corrected clock or offset of one photo. It outlives every new reading of the file."""

    photo = models.OneToOneField(
        Photo, on_delete=models.CASCADE, related_name="time_correction", primary_key=True
    )
    taken_local = models.DateTimeField(
        null=True, help_text="The clock on the wall, stored as if it were UTC; empty: as it was read."
    )
    offset_minutes = models.SmallIntegerField(null=True, help_text="Empty: as it was read.")
    read = models.JSONField(default=dict, help_text="What the file said, to go back to.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Time of photo {self.photo_id}"
