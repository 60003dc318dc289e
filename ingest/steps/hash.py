"""The perceptual hash, by which the same picture is found again."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import Photo, PhotoHash
from vision.results import PerceptualHash


class HashStep:
    """PDQ."""

    name = StepRun.Step.HASH
    state = Photo.State.PROCESSING_HASH
    chunk = 8

    def engine_id(self) -> str | None:
        """The hasher's."""
        return registry().engine_id("hasher")

    def require(self) -> None:
        """The hasher is needed."""
        registry().hasher()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """All."""
        return all_pictures(photo_ids)

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[PerceptualHash]:
        """One hash a picture."""
        return registry().hasher().hash_images([item.image for item in items])

    def save(self, results: dict[int, PerceptualHash]) -> None:
        """Insert or replace."""
        PhotoHash.objects.bulk_create(
            [
                PhotoHash(photo_id=photo_id, pdq=_bit_string(found.bits), quality=found.quality)
                for photo_id, found in results.items()
            ],
            update_conflicts=True,
            unique_fields=["photo"],
            update_fields=["pdq", "quality"],
        )


def _bit_string(value: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in value)
