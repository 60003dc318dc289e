"""Faces: boxes, quality, embeddings. Who they are is for the people floor."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import EmbeddingSpace, Photo
from library.spaces import space_for
from people.actions.detect import replace_faces
from vision.results import DetectedFace


class FacesStep:
    """Looks at one picture at a time: the engine gains nothing from batches."""

    name = StepRun.Step.FACES
    state = Photo.State.PROCESSING_FACES
    chunk = 1

    def engine_id(self) -> str | None:
        """The face engine's."""
        return registry().engine_id("faces")

    def require(self) -> None:
        """A face engine is needed."""
        registry().faces()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """All."""
        return all_pictures(photo_ids)

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[list[DetectedFace]]:
        """The faces of each picture."""
        return registry().faces().analyze([item.image for item in items])

    def save(self, results: dict[int, list[DetectedFace]]) -> None:
        """Replace the photos' faces; labelled ones keep their labels."""
        space = space_for(EmbeddingSpace.Kind.FACE, registry().faces().space)
        replace_faces(space=space, found=results)
