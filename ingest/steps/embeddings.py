"""Meaning: one vector a photo in the embedder's space."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from library.engines import registry
from library.models import EmbeddingSpace, Photo, PhotoEmbedding
from library.spaces import space_for
from vision.results import Vectors


class EmbeddingsStep:
    """Stores the vectors; the objects step may have computed them already."""

    name = StepRun.Step.EMBEDDINGS
    state = Photo.State.PROCESSING_EMBEDDINGS
    chunk = 8

    def engine_id(self) -> str | None:
        """The embedder's."""
        return registry().engine_id("embedder")

    def require(self) -> None:
        """An embedder is needed."""
        registry().image_embedder()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """Only those without a vector."""
        return vectors.missing(photo_ids, registry().image_embedder())

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[Vectors]:
        """float32 [D] a photo."""
        return list(vectors.of(items, registry().image_embedder()))

    def save(self, results: dict[int, Vectors]) -> None:
        """Insert or replace the vectors."""
        space = space_for(EmbeddingSpace.Kind.IMAGE, registry().image_embedder().space)
        PhotoEmbedding.objects.bulk_create(
            [
                PhotoEmbedding(photo_id=photo_id, space=space, vector=vector)
                for photo_id, vector in results.items()
            ],
            update_conflicts=True,
            unique_fields=["space", "photo"],
            update_fields=["vector"],
        )
