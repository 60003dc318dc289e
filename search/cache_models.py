"""What search remembers: that something changed, vectors of texts, and pictures that were searched by."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F
from pgvector.django import VectorField

from library.models import EmbeddingSpace


class SearchChange(models.Model):
    """Something was written that may change what is found; by triggers, see ``search.changes``."""

    id = models.BigAutoField(primary_key=True)

    def __str__(self) -> str:
        return f"Change {self.pk}"


class TextVector(models.Model):
    """A text in the space of an engine. ``key`` is a digest: what was typed is not kept."""

    key = models.CharField(max_length=64, primary_key=True)
    vector = VectorField()
    used_at = models.DateTimeField(help_text="To the day.")

    class Meta:
        indexes = (models.Index(fields=("used_at",), name="text_vector_used"),)

    def __str__(self) -> str:
        return self.key[:8]


class SearchPicture(models.Model):
    """The vector of a picture somebody searches by, for an hour. The picture itself is never kept."""

    token = models.CharField(max_length=43, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="+")
    vector = VectorField()
    made_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"Picture of {self.user}"


class VocabularyWord(models.Model):
    """A folded word that photos are found by, as it is written (not a stem)."""

    word = models.CharField(max_length=40, primary_key=True)
    photos = models.PositiveIntegerField(default=0, help_text="In how many documents, at the last count.")
    named = models.BooleanField(
        default=False, help_text="In a tag, title, name or description; otherwise only read in pictures."
    )

    class Meta:
        indexes = (models.Index(F("photos").desc(), name="vocabulary_by_photos"),)

    def __str__(self) -> str:
        return self.word


class VocabularyCount(models.Model):
    """When the words were counted last, and the version of the library then; a single row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    version = models.CharField(max_length=80)

    def __str__(self) -> str:
        return f"Counted {self.at}"
