"""Vectors, and the spaces they live in."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from pgvector.django import VectorField

from library.models.photo import Photo
from vision.results import SpaceInfo


class EmbeddingSpaceQuerySet(models.QuerySet["EmbeddingSpace"]):
    """Queries over spaces."""

    def active(self, kind: str) -> EmbeddingSpace | None:
        """The space that answers for this kind at the moment, if there is one."""
        return self.filter(kind=kind, status=EmbeddingSpace.Status.ACTIVE).first()


class EmbeddingSpace(models.Model):
    """Everything one model writes. Vectors of different spaces are never compared."""

    class Kind(models.TextChoices):
        """What the vectors stand for."""

        IMAGE = "image"
        FACE = "face"

    class Status(models.TextChoices):
        """A new model fills a space (building) while the old one answers (active)."""

        BUILDING = "building"
        ACTIVE = "active"
        RETIRED = "retired"

    kind = models.CharField(max_length=8, choices=Kind)
    engine = models.CharField(max_length=60)
    model = models.CharField(max_length=200)
    dimensions = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.BUILDING)
    source = models.JSONField(
        default=dict, help_text="By which settings its embedder was chosen, to make it again for texts."
    )
    written_by = models.CharField(
        max_length=300, blank=True, help_text="The engine that wrote last, as the ledger names it."
    )
    promotes = models.BooleanField(
        default=True,
        help_text="Takes over by itself once it is complete. Not after somebody switched away from it.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EmbeddingSpaceQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("kind", "engine", "model"), name="embedding_space_unique"),
            models.UniqueConstraint(
                fields=("kind",), condition=Q(status="active"), name="embedding_space_one_active"
            ),
        )

    def __str__(self) -> str:
        return f"{self.engine}/{self.model} ({self.dimensions}-d {self.kind})"

    @property
    def info(self) -> SpaceInfo:
        """As the engines name it."""
        return SpaceInfo(engine=self.engine, model=self.model, dimensions=self.dimensions)


class PhotoEmbedding(models.Model):
    """What a photo means, as a unit vector of its space."""

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="embeddings")
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="photo_embeddings")
    vector = VectorField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("space", "photo"), name="photo_embedding_unique"),)

    def __str__(self) -> str:
        return f"Embedding of {self.photo_id}"


class CropEmbedding(models.Model):
    """What a part of a photo means; ``position`` is that of ``vision.imaging.crops.POSITIONS``."""

    # The constraint below is the index.
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="crop_embeddings", db_index=False)
    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="crop_embeddings")
    position = models.PositiveSmallIntegerField()
    vector = VectorField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("photo", "space", "position"), name="crop_embedding_unique"),
        )

    def __str__(self) -> str:
        return f"Embedding of part {self.position} of {self.photo_id}"
