"""Tag the library anew from stored vectors: no picture is touched, and no other step runs.

The models lane does the same by itself when the words change, among all its other work and with previews for
photos that have no vector. This goes straight through, with the same step, leases and ledger, so both may
run at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet

from ingest import leases, ledger, states
from ingest.batch import ImageVectors, make_items
from ingest.leases import Worker
from ingest.ledger import StepOutcome
from ingest.pipeline import steps
from ingest.runner import due_steps, never
from ingest.steps.objects import ObjectsStep
from library.engines import registry
from library.models import EmbeddingSpace, Photo, PhotoEmbedding, TagMapping
from search.indexing import index_photos
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import VectorTagger

BATCH = 256
_STEP = ObjectsStep()
_OPEN_TO_US = (Photo.State.COMPLETED, Photo.State.PARTIAL, Photo.State.PROCESSING_OBJECTS)


class RetagRefused(Exception):  # noqa: N818 - an answer to a person
    """Tags cannot be made from stored vectors here; says why and what helps."""


@dataclass(frozen=True, slots=True)
class Retagged:
    """``left`` have old tags still: others hold them, they wait for other steps, or they failed."""

    engine: str
    retagged: int
    without_embedding: int
    left: int


def waiting() -> int:
    """How many photos would be tagged. Raises RetagRefused."""
    engine, space = _require()
    return _stale(engine, space).count()


def retag(
    *,
    should_stop: Callable[[], bool] = never,
    on_progress: Callable[[int], object] = bool,
    batch_size: int = BATCH,
) -> Retagged:
    """Tag all photos whose tags are not today's and that have a vector in the space of today's embedder.

    Each batch is one transaction for the tags and one for what follows from them, so it can be broken off at
    any time and goes on when it is run again. ``on_progress`` is told how many photos a batch had.
    Raises RetagRefused.
    """
    worker = Worker.this_process()
    leases.recover()
    engine, space = _require()
    done = 0
    while not should_stop():
        engine, space = _require(probe=False)  # words may be added meanwhile
        before = ledger.take_up_again(worker, _stale(engine, space), _STEP.state, batch_size)
        if not before:
            break
        try:
            done += _retag_batch(worker, engine, before)
        finally:
            leases.release(worker, list(before))
        on_progress(len(before))
    return Retagged(engine, done, *_remaining(engine, space))


def _require(*, probe: bool = True) -> tuple[str, EmbeddingSpace]:
    """Today's engine and the space it reads; the probe loads the words, before any photo is taken up."""
    try:
        tagger = registry().tagger(TagMapping.objects.vocabulary())
        if not isinstance(tagger, VectorTagger):
            raise RetagRefused(
                f"{tagger.engine_id} looks at pictures and cannot tag from stored vectors. "
                "`manage.py process` tags what is stale from the previews; or set TAGGER=zero_shot."
            )
        info = registry().image_embedder().space
        kind = EmbeddingSpace.Kind.IMAGE
        space = EmbeddingSpace.objects.filter(kind=kind, engine=info.engine, model=info.model).first()
        stored = PhotoEmbedding.objects.filter(space=space).order_by().first() if space else None
        if space is None or stored is None:
            raise RetagRefused(
                f"No photo has a vector of {info.engine}/{info.model} yet. Run `manage.py process` first."
            )
        if probe:
            tagger.tag_vectors(np.asarray([stored.vector], dtype=np.float32))
    except (EngineUnavailable, EngineFailed) as error:
        raise RetagRefused(str(error)) from error
    return tagger.engine_id, space


def _with_vector(space: EmbeddingSpace) -> Exists:
    return Exists(PhotoEmbedding.objects.filter(photo=OuterRef("pk"), space=space))


def _stale(engine: str, space: EmbeddingSpace) -> QuerySet[Photo]:
    photos = Photo.objects.filter(_with_vector(space), state__in=_OPEN_TO_US)
    return ledger.without(photos, _STEP.name, engine)


def _remaining(engine: str, space: EmbeddingSpace) -> tuple[int, int]:
    """Photos without a vector, and those with one whose tags are not today's."""
    left = ledger.without(Photo.objects.filter(_with_vector(space)), _STEP.name, engine)
    return Photo.objects.exclude(_with_vector(space)).count(), left.count()


def _retag_batch(worker: Worker, engine: str, before: Mapping[int, Photo.State]) -> int:
    """Tag photos that are held, and close them as they were; returns how many were tagged."""
    vectors = ImageVectors()
    gone = vectors.missing(list(before), registry().image_embedder())
    items = make_items([(pk, "") for pk in before if pk not in gone])
    started = time.perf_counter()
    results: list[Any] = _STEP.compute(items, vectors) if items else []
    share = round((time.perf_counter() - started) * 1000) // max(1, len(items))
    outcome = StepOutcome(_STEP.name, engine)
    for item, result in zip(items, results, strict=True):
        outcome.results[item.photo_id] = result
        outcome.milliseconds[item.photo_id] = share
    onward = _next_states([pk for pk, state in before.items() if state not in states.FINAL])
    ledger.record(worker, outcome, _STEP.save, onward)
    ledger.finish(worker, [pk for pk in before if pk not in onward])
    index_photos(onward)
    return len(items)


def _next_states(photo_ids: list[int]) -> dict[int, Photo.State]:
    """For photos that were under way: the next step they wait for, when there is one."""
    due = due_steps(photo_ids)
    following: dict[int, Photo.State] = {}
    for step in reversed(steps()):
        if step.name != _STEP.name:
            following.update(dict.fromkeys(due[step.name], step.state))
    return following
