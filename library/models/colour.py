"""The colours of a photo, one row each, to be searched by."""

from __future__ import annotations

from django.db import models

from library.models.photo import Photo


class PhotoColour(models.Model):
    """One of ``Photo.colours`` that fills enough of the picture. Written by ``library.colours`` alone."""

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="colour_rows")
    palette = models.PositiveSmallIntegerField(help_text="The nearest colour of library.colours.PALETTE.")
    lightness = models.SmallIntegerField(help_text="CIE Lab (D65) in tenths, as the next two.")
    a = models.SmallIntegerField()
    b = models.SmallIntegerField()
    share = models.PositiveSmallIntegerField(help_text="Of the picture, in thousandths.")

    class Meta:
        indexes = (
            models.Index(fields=("palette", "photo"), include=("share",), name="photo_colour_by_palette"),
        )

    def __str__(self) -> str:
        return f"Colour {self.palette} of photo {self.photo_id}"
