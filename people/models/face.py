"""A face in a photo, and the good faces a person is recognised by."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from pgvector.django import VectorField

from library.models import EmbeddingSpace, Photo
from people.models.person import Person


class Face(models.Model):
    """One face: its box as fractions of the upright photo, and its embedding in its space.

    What an engine does not estimate is null or empty. Age and sex are guesses of a model: no page shows them.
    """

    class SexGuess(models.TextChoices):
        """What a model took somebody for."""

        FEMALE = "female"
        MALE = "male"

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="faces")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.PROTECT, related_name="faces")
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()
    confidence = models.FloatField(help_text="0..1: the detector's score, on one scale for all engines.")
    quality = models.FloatField(help_text="0..1: size, sharpness, pose and detection score together.")
    landmarks = models.JSONField(default=list, help_text="Points (x, y) as fractions of the upright photo.")
    yaw = models.FloatField(
        null=True, help_text="Degrees; positive: turned to the right edge of the picture."
    )
    pitch = models.FloatField(null=True, help_text="Degrees; positive: looks up.")
    roll = models.FloatField(null=True, help_text="Degrees; positive: tilted clockwise.")
    age_guess = models.FloatField(null=True, help_text="Years; a model's guess from the looks, never a fact.")
    sex_guess = models.CharField(
        max_length=6,
        blank=True,
        choices=SexGuess,
        help_text="A model's guess from the looks, never a fact; not for display.",
    )
    embedding = VectorField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="face_box_not_empty"),
        )
        ordering = ("photo", "x")

    def __str__(self) -> str:
        return f"Face {self.pk} in photo {self.photo_id}"


class Prototype(models.Model):
    """A face by which a person is recognised at one age."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="prototypes")
    face = models.OneToOneField(Face, on_delete=models.CASCADE, related_name="prototype")
    age_era = models.CharField(max_length=12, blank=True)
    quality = models.FloatField()
    pinned = models.BooleanField(default=False)

    class Meta:
        ordering = (F("pinned").desc(), F("quality").desc())

    def __str__(self) -> str:
        return f"{self.person} by face {self.face_id}"
