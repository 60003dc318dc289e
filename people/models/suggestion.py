"""Who an unknown face may be."""

from __future__ import annotations

from django.db import models

from people.models.face import Face
from people.models.person import Person


class Suggestion(models.Model):
    """A person whom a face may belong to, and why. Written by matching, offered for an answer."""

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="suggestions")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="suggestions")
    similarity = models.FloatField(help_text="Cosine to the nearest face the person is recognised by.")
    margin = models.FloatField(help_text="Ahead of the next person.")
    prior = models.FloatField(default=0.0, help_text="What time, place and company say, as log odds.")
    probability = models.FloatField(help_text="0..1, calibrated.")
    reasons = models.JSONField(default=list, help_text="Of kind, text and weight each.")
    rank = models.PositiveSmallIntegerField(default=1, help_text="1: the likeliest for this face.")
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("face", "person"), name="suggestion_unique"),)
        indexes = (models.Index(fields=("person", "-probability"), name="suggestion_of_person"),)
        ordering = ("face", "rank", "pk")

    def __str__(self) -> str:
        return f"Face {self.face_id} may be {self.person}"
