"""The whole story of a photo, read top to bottom.

Lane ``files`` (CPU): preprocessing reads the original once: hash, metadata, thumbnail, preview.
Lane ``models`` (GPU where there is one): the steps below, in this order, from the preview.
"""

from __future__ import annotations

from ingest.models import StepRun
from ingest.steps import preprocessing
from ingest.steps.base import ModelStep
from ingest.steps.duplicates import DuplicatesStep
from ingest.steps.embeddings import EmbeddingsStep
from ingest.steps.faces import FacesStep
from ingest.steps.hash import HashStep
from ingest.steps.objects import ObjectsStep
from ingest.steps.ocr import OcrStep
from library.models import Photo

STEPS: tuple[ModelStep, ...] = (
    ObjectsStep(),
    EmbeddingsStep(),
    OcrStep(),
    FacesStep(),
    HashStep(),
    DuplicatesStep(),
)


def todays_engines() -> dict[StepRun.Step, tuple[Photo.State, str | None]]:
    """Each step's state and the identity of the engine that would run it now."""
    reading: tuple[Photo.State, str | None] = (Photo.State(Photo.State.PENDING), preprocessing.engine_id())
    return {
        StepRun.Step.PREPROCESSING: reading,
        **{step.name: (step.state, step.engine_id()) for step in STEPS},
    }
