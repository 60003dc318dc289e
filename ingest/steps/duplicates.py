"""Find the photos that show the same picture, and hide the nearly identical ones behind the best."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from library.bursts import find_bursts
from library.duplicates import find_pairs, regroup
from library.engines import registry
from library.models import Photo


class DuplicatesStep:
    """Works on stored hashes alone; all of it happens in the database, so ``save`` does the work."""

    name = StepRun.Step.DUPLICATES
    state = Photo.State.CHECKING_DUPLICATES
    chunk = 1000

    def engine_id(self) -> str | None:
        """Changes with the hash and with both thresholds."""
        hasher = registry().engine_id("hasher")
        thresholds = f"{settings.SAME_PICTURE_THRESHOLD}/{settings.DUPLICATE_THRESHOLD}"
        return f"{hasher} pairs+bursts {thresholds}" if hasher else None

    def require(self) -> None:
        """Hashes are needed."""
        registry().hasher()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """None."""
        return set()

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[int]:
        """Nothing to compute outside the database."""
        return [item.photo_id for item in items]

    def save(self, results: dict[int, int]) -> None:
        """Store the pairs and choose who stands in front."""
        find_bursts(photo_ids=list(results))
        find_pairs(photo_ids=list(results))
        regroup(photo_ids=list(results))
