"""Tags: which words of the owner's vocabulary a picture shows, and the category each falls into."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from library.engines import registry
from library.models import DetectedObject, Photo, Tag, TagMapping
from vision.errors import EngineUnavailable
from vision.results import Tag as TagResult


class ObjectsStep:
    """Zero-shot tags from the image vectors that the embeddings step stores as well."""

    name = StepRun.Step.OBJECTS
    state = Photo.State.PROCESSING_OBJECTS
    chunk = 8

    def engine_id(self) -> str | None:
        """Changes with the embedder and with the vocabulary."""
        vocabulary = TagMapping.objects.vocabulary()
        return registry().engine_id("tagger", vocabulary) if vocabulary else None

    def require(self) -> None:
        """An embedder and a vocabulary are needed."""
        vocabulary = TagMapping.objects.vocabulary()
        if not vocabulary:
            raise EngineUnavailable("No tags are mapped to categories.", "Add tag mappings in /admin.")
        registry().tagger(vocabulary)

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """Only those without a stored vector."""
        return vectors.missing(photo_ids, registry().image_embedder())

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[list[TagResult]]:
        """Tags from vectors."""
        tagger = registry().tagger(TagMapping.objects.vocabulary())
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
