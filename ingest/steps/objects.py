"""Tags: which words of the owner's vocabulary a picture shows, and the category each falls into."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import DetectedObject, Photo, Tag, TagMapping
from vision.ports import Tagger, VectorTagger
from vision.results import Tag as TagResult


class ObjectsStep:
    """Tags of the configured tagger. Zero-shot works from the vectors that the embeddings step stores."""

    name = StepRun.Step.OBJECTS
    state = Photo.State.PROCESSING_OBJECTS
    chunk = 8

    def engine_id(self) -> str | None:
        """Zero-shot changes with the embedder and with the vocabulary."""
        return registry().engine_id("tagger", TagMapping.objects.vocabulary())

    def require(self) -> None:
        """RAM++ needs its weights; zero-shot an embedder and a vocabulary."""
        _tagger()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """All, or for zero-shot only those without a stored vector."""
        if not isinstance(_tagger(), VectorTagger):
            return all_pictures(photo_ids)
        return vectors.missing(photo_ids, registry().image_embedder())

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[list[TagResult]]:
        """Tags from vectors where the tagger can, else from the pictures."""
        tagger = _tagger()
        if not isinstance(tagger, VectorTagger):
            return tagger.tag_images([item.image for item in items])
        return tagger.tag_vectors(vectors.of(items, registry().image_embedder()))

    def save(self, results: dict[int, list[TagResult]]) -> None:
        """Replace the photos' tags; categories follow from the mappings."""
        tags = Tag.objects.ensure({tag.name for found in results.values() for tag in found})
        categories = dict(TagMapping.objects.values_list("tag_id", "category_id"))
        DetectedObject.objects.filter(photo_id__in=results).delete()
        DetectedObject.objects.bulk_create(
            DetectedObject(
                photo_id=photo_id,
                tag=tags[tag.name.lower()],
                confidence=tag.confidence,
                category_id=categories.get(tags[tag.name.lower()].pk),
            )
            for photo_id, found in results.items()
            for tag in found
        )


def _tagger() -> Tagger:
    return registry().tagger(TagMapping.objects.vocabulary())
