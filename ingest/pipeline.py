"""The whole story of a photo, read top to bottom.

Lane ``files`` (CPU): preprocessing reads the original once: hash, metadata, thumbnail, preview.
Lane ``models`` (GPU where there is one): the steps below, in this order, from the preview.
"""

from __future__ import annotations

from django.conf import settings

from ingest.models import StepRun
from ingest.steps import preprocessing
from ingest.steps.base import ModelStep
from ingest.steps.descriptions import DescriptionsStep
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
    DescriptionsStep(),
)

#: Photos in these states wait until no photo is in an earlier one: what is left to do to them is slow, and
#: the whole library is findable without it.
SLOW_STATES: tuple[Photo.State, ...] = (Photo.State(Photo.State.PROCESSING_DESCRIPTIONS),)
QUICK_STATES = tuple(state for state in Photo.MODELS_LANE_STATES if state not in SLOW_STATES)


def steps() -> tuple[ModelStep, ...]:
    """The steps that are run here: descriptions only while DESCRIPTIONS is on."""
    return tuple(step for step in STEPS if step.name not in switched_off())


def switched_off() -> frozenset[StepRun.Step]:
    """Steps that the settings leave out: never due, never stale, not counted."""
    return frozenset() if settings.DESCRIPTIONS else frozenset({StepRun.Step.DESCRIPTIONS})


def todays_engines() -> dict[StepRun.Step, tuple[Photo.State, str | None]]:
    """Each step's state and the identity of the engine that would run it now."""
    reading: tuple[Photo.State, str | None] = (Photo.State(Photo.State.PENDING), preprocessing.engine_id())
    return {
        StepRun.Step.PREPROCESSING: reading,
        **{step.name: (step.state, step.engine_id()) for step in steps()},
    }
