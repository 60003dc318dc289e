"""Meaning: one vector a photo in the embedder's space and, with LOCAL_CROPS, one for each of five parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count

from ingest.batch import ImageVectors, Item
from ingest.ledger import EXTRA
from ingest.models import StepRun
from library.engines import registry
from library.models import CropEmbedding, EmbeddingSpace, Photo, PhotoEmbedding
from library.spaces import space_for
from vision.imaging.crops import POSITIONS, crops
from vision.results import SpaceInfo, Vectors


@dataclass(frozen=True, slots=True)
class MadeBy:
    """An embedder, as its space keeps it; ``source`` is what it was chosen by."""

    space: SpaceInfo
    engine_id: str
    source: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PhotoVectors:
    """Of the photo [D] and, where they were asked for and not stored yet, of its crops [5, D]."""

    made_by: MadeBy
    whole: Vectors
    crops: Vectors | None


class EmbeddingsStep:
    """Stores the vectors; the objects step may have computed those of whole photos already."""

    name = StepRun.Step.EMBEDDINGS
    state = Photo.State.PROCESSING_EMBEDDINGS
    chunk = 8

    def engine_id(self) -> str | None:
        """The embedder's; crops are an extra, so photos that have them are not stale when they are off."""
        embedder = registry().engine_id("embedder")
        return f"{embedder}{EXTRA}crops" if embedder and settings.LOCAL_CROPS else embedder

    def require(self) -> None:
        """An embedder is needed."""
        registry().image_embedder()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """Only those without a vector, or without the crops that are wanted."""
        return vectors.missing(photo_ids, registry().image_embedder()) | _without_crops(photo_ids)

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[PhotoVectors]:
        """The vectors of each photo, with their space: another model may arrive before they are saved.

        What is stored is not computed again.
        """
        embedder = registry().image_embedder()
        made_by = MadeBy(embedder.space, embedder.engine_id, tuple(registry().embedder_source().items()))
        wholes = vectors.of(items, embedder)
        wanted = _without_crops([item.photo_id for item in items])
        parts = [crop for item in items if item.photo_id in wanted for crop in crops(item.image)]
        found = iter(embedder.embed_images(parts).reshape(len(wanted), len(POSITIONS), -1) if parts else ())
        return [
            PhotoVectors(made_by, whole, next(found) if item.photo_id in wanted else None)
            for item, whole in zip(items, wholes, strict=True)
        ]

    def save(self, results: dict[int, PhotoVectors]) -> None:
        """Insert or replace the vectors."""
        by_model: dict[MadeBy, dict[int, PhotoVectors]] = {}
        for photo_id, found in results.items():
            by_model.setdefault(found.made_by, {})[photo_id] = found
        for made_by, rows in by_model.items():
            _save(made_by, rows)


def _save(made_by: MadeBy, results: dict[int, PhotoVectors]) -> None:
    space = space_for(
        EmbeddingSpace.Kind.IMAGE,
        made_by.space,
        written_by=made_by.engine_id,
        source=dict(made_by.source),
    )
    PhotoEmbedding.objects.bulk_create(
        [
            PhotoEmbedding(photo_id=photo_id, space=space, vector=found.whole)
            for photo_id, found in results.items()
        ],
        update_conflicts=True,
        unique_fields=["space", "photo"],
        update_fields=["vector"],
    )
    CropEmbedding.objects.bulk_create(
        [
            CropEmbedding(photo_id=photo_id, space=space, position=position, vector=vector)
            for photo_id, found in results.items()
            if found.crops is not None
            for position, vector in enumerate(found.crops)
        ],
        update_conflicts=True,
        unique_fields=["photo", "space", "position"],
        update_fields=["vector"],
    )


def _without_crops(photo_ids: Sequence[int]) -> set[int]:
    """The photos among these whose crops are wanted and not all stored in today's space."""
    if not settings.LOCAL_CROPS:
        return set()
    space = registry().image_embedder().space
    stored = CropEmbedding.objects.filter(
        photo_id__in=photo_ids,
        space__kind=EmbeddingSpace.Kind.IMAGE,
        space__engine=space.engine,
        space__model=space.model,
    )
    counts = stored.order_by().values_list("photo_id").annotate(n=Count("pk"))
    return set(photo_ids) - {photo_id for photo_id, n in counts if n == len(POSITIONS)}
