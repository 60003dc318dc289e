"""Faces: boxes, quality, embeddings, and who they are as far as that is clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import EmbeddingSpace, Photo
from library.spaces import space_for
from people.actions.detect import replace_faces
from people.actions.names import name_faces
from people.actions.recognise import recognise_together
from vision.results import DetectedFace, SpaceInfo


@dataclass(frozen=True, slots=True)
class SeenFaces:
    """The faces of one picture, and the space their vectors are of."""

    space: SpaceInfo
    engine_id: str
    faces: list[DetectedFace]


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

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[SeenFaces]:
        """The faces of each picture, with their space: better weights may arrive before they are saved."""
        engine = registry().faces()
        found = engine.analyze([item.image for item in items])
        return [SeenFaces(engine.space, engine.engine_id, faces) for faces in found]

    def save(self, results: dict[int, SeenFaces]) -> None:
        """Replace the photos' faces; labelled ones keep their labels. Then name what is clear, or ask."""
        by_engine: dict[tuple[SpaceInfo, str], dict[int, list[DetectedFace]]] = {}
        for photo_id, seen in results.items():
            by_engine.setdefault((seen.space, seen.engine_id), {})[photo_id] = seen.faces
        for (info, engine_id), found in by_engine.items():
            space = space_for(EmbeddingSpace.Kind.FACE, info, written_by=engine_id)
            replace_faces(space=space, found=found)
        name_faces(photo_ids=list(results))
        recognise_together(photo_ids=list(results))
