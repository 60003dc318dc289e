"""What was said about a face. Append-only: a face's person is derived from its labels."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from people.models.face import Face
from people.models.person import Person


class FaceLabel(models.Model):
    """One verdict: this face is, or is not, this person. A rejection holds for ever."""

    class Verdict(models.TextChoices):
        """What was said."""

        CONFIRMED = "confirmed"
        REJECTED = "rejected"

    class Source(models.TextChoices):
        """Who said it."""

        HUMAN_CONFIRMED = "human_confirmed"
        MODEL_GUESS = "model_guess"
        IMPORTED = "imported"

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="labels")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="labels")
    verdict = models.CharField(max_length=10, choices=Verdict)
    source = models.CharField(max_length=16, choices=Source)
    confidence = models.FloatField(null=True)
    engine = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=("face", "-at"), name="face_label_latest"),)
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.face_id} {self.verdict} {self.person}"
