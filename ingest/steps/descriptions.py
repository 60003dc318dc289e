"""Say in a few sentences what is in the picture. Slow, so it comes last, and only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import Photo, PhotoDescription
from vision.errors import EngineUnavailable


class DescriptionsStep:
    """Part of the pipeline while DESCRIPTIONS is on (``ingest.pipeline.steps``)."""

    name = StepRun.Step.DESCRIPTIONS
    state = Photo.State.PROCESSING_DESCRIPTIONS

    @property
    def chunk(self) -> int:
        """As many as the engine takes at once; without one all are skipped together."""
        try:
            return registry().describer().batch_size
        except EngineUnavailable:
            return 1000

    def engine_id(self) -> str | None:
        """The describer's."""
        return registry().engine_id("describer")

    def require(self) -> None:
        """A describer is needed."""
        registry().describer()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """All."""
        return all_pictures(photo_ids)

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[PhotoDescription]:
        """A row a picture, not saved; its text is empty when the model had nothing usable to say."""
        describer = registry().describer()
        texts = describer.describe([item.image for item in items])
        return [
            PhotoDescription(photo_id=item.photo_id, text=text.replace("\0", ""), engine=describer.engine_id)
            for item, text in zip(items, texts, strict=True)
        ]

    def save(self, results: dict[int, PhotoDescription]) -> None:
        """Insert or replace. What a person wrote about the photo (``Photo.description``) is another field."""
        PhotoDescription.objects.bulk_create(
            results.values(),
            update_conflicts=True,
            unique_fields=["photo"],
            update_fields=["text", "engine"],
        )
