"""Whom other programs named in a photo."""

from __future__ import annotations

from django.db import models

from library.models import Photo
from people.models.face import Face
from people.models.person import Person


class ImportedName(models.Model):
    """A name some program wrote into or beside a photo, with the place of the face when it said so.

    It waits here until a face is found at its place; then that face gets a label with source ``imported``.
    """

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="imported_names")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="imported_names")
    name = models.CharField(max_length=200, help_text="As it was written.")
    source = models.CharField(max_length=10, help_text="mwg, microsoft, iptc, picasa or takeout.")
    x = models.FloatField(null=True, help_text="Fractions of the upright photo; empty: somewhere in it.")
    y = models.FloatField(null=True)
    width = models.FloatField(null=True)
    height = models.FloatField(null=True)
    face = models.ForeignKey(Face, on_delete=models.SET_NULL, null=True, related_name="imported_names")

    class Meta:
        ordering = ("photo", "x", "pk")

    def __str__(self) -> str:
        return f"{self.name} in photo {self.photo_id}"
