"""What a step of the models lane is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from library.models import Photo


class ModelStep(Protocol):
    """One step: looks at photos with one engine, and saves what it saw.

    ``chunk`` is how many photos one call of ``compute`` gets: engines that gain nothing from batches take
    one, so that stopping and failing are fine-grained.
    """

    name: StepRun.Step
    state: Photo.State

    @property
    def chunk(self) -> int:
        """See above."""
        ...

    def engine_id(self) -> str | None:
        """The identity of today's engine and settings, found without loading it; None when there is none."""
        ...

    def require(self) -> None:
        """Raise EngineUnavailable with the reason when the engine cannot run."""
        ...

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """The photos among these whose previews ``compute`` will look at."""
        ...

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[Any]:
        """One result an item, in order. Writes nothing."""
        ...

    def save(self, results: dict[int, Any]) -> None:
        """Replace what the database holds for these photos. Runs inside the runner's transaction."""
        ...


def all_pictures(photo_ids: Sequence[int]) -> set[int]:
    """Every photo: for steps that always look."""
    return set(photo_ids)
