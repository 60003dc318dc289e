"""The models lane: claim a batch, run the steps it needs, record each, finish."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseProblem

from ingest import counting, leases, ledger
from ingest.batch import ImageVectors, Item, PreviewLost, make_items
from ingest.leases import Worker
from ingest.ledger import StepOutcome
from ingest.models import StepRun
from ingest.pipeline import QUICK_STATES, SLOW_STATES, steps, todays_engines
from ingest.reports import Reporter
from ingest.steps.base import ModelStep
from ingest.switching import promote_complete
from library.models import Photo
from photos_project.logging import get_logger
from search import library_words
from vision.errors import EngineFailed, EngineUnavailable

logger = get_logger(__name__)
DECODE_THREADS = 2


def never() -> bool:
    """The stop signal of a run that goes on until nothing is left."""
    return False


@dataclass(slots=True)
class Batch:
    """Claimed photos, and for each step the photos that need it.

    ``slow``: they were in one of ``SLOW_STATES``, everything is done to them; otherwise slow steps wait.
    """

    items: dict[int, Item]
    due: dict[StepRun.Step, list[int]]
    slow: bool = False
    vectors: ImageVectors = field(default_factory=ImageVectors)
    lost: set[int] = field(default_factory=set)

    def next_states(self, after: int) -> dict[int, Photo.State]:
        """The state of the first step behind position ``after`` that a photo needs; none: it stays."""
        following: dict[int, Photo.State] = {}
        for step in reversed(steps()[after + 1 :]):
            following.update(dict.fromkeys(self.due[step.name], step.state))
        return following

    def steps(self) -> list[tuple[int, ModelStep]]:
        """The steps to be run now, with their positions."""
        return [
            (position, step)
            for position, step in enumerate(steps())
            if self.slow or step.state not in SLOW_STATES
        ]

    def put_by(self) -> dict[Photo.State, list[int]]:
        """The photos that still need a slow step, by its state."""
        waiting = [step for step in steps() if step.state in SLOW_STATES and not self.slow]
        return {
            step.state: [pk for pk in self.due[step.name] if pk not in self.lost]
            for step in reversed(waiting)
        }

    def release(self) -> None:
        """Let go of the pixels."""
        for item in self.items.values():
            item.release()


class ModelsLane:
    """Runs the steps after preprocessing until nothing is left or ``should_stop`` says so.

    The next batch is claimed and decoded by threads while the engines work on the current one.
    """

    def __init__(
        self,
        *,
        should_stop: Callable[[], bool] = never,
        on_progress: Callable[[], object] = bool,
        batch_size: int | None = None,
        check_stale: bool = True,
    ) -> None:
        self._check_stale = check_stale
        self._worker = Worker.this_process()
        self._hands = leases.Hands(self._worker)
        self._reporter = Reporter(self._worker)
        self._should_stop = should_stop
        self._on_progress = on_progress
        self._batch_size = batch_size or settings.BATCH_SIZE

    def run(self) -> int:
        """Work; returns the number of photos finished."""
        leases.recover()
        if self._check_stale:
            ledger.reopen_stale(todays_engines())
        finished = 0
        with ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode") as pool, self._hands as hands:
            batch = self._claim(pool)
            while batch and not self._should_stop():
                hands.take_up(list(batch.items))
                upcoming = self._claim(pool)
                finished += self._run_batch(batch)
                if upcoming is None:
                    # A suspect is held alone, and what was put by just now could not be claimed ahead.
                    hands.put_down()
                    upcoming = self._claim(pool)
                batch = upcoming
            if batch:
                batch.release()
        counting.fold_now_and_then(now=True)
        self._reporter.tell(now=True)
        self._reporter.tidy()
        if not finished:
            promote_complete()
            library_words.count_if_due()
        return finished

    def _claim(self, pool: ThreadPoolExecutor) -> Batch | None:
        ids = self._hands.claim(QUICK_STATES, self._batch_size)
        slow = not ids
        if slow:
            ids = self._hands.claim(SLOW_STATES, min(self._batch_size, _slow_chunk()))
        if not ids:
            return None
        photos = Photo.objects.filter(pk__in=ids).order_by("priority", "pk").values_list("pk", "sha256")
        items = {item.photo_id: item for item in make_items([(pk, sha or "") for pk, sha in photos])}
        batch = Batch(items, due_steps(list(items)), slow)
        pictures: set[int] = set()
        for _, step in batch.steps():
            if batch.due[step.name] and step.engine_id() is not None and _is_ready(step):
                pictures |= step.needs_pictures(batch.due[step.name], batch.vectors)
        for pk, item in items.items():
            if pk in pictures:
                item.prefetch(pool)
        return batch

    def _run_batch(self, batch: Batch) -> int:
        for position, step in batch.steps():
            due = [batch.items[pk] for pk in batch.due[step.name] if pk not in batch.lost]
            if due:
                outcome = self._run_step(step, due, batch)
                ledger.record(self._worker, outcome, step.save, batch.next_states(position))
                self._on_progress()
            if self._should_stop():
                batch.release()
                return 0
        if batch.lost:
            ledger.back_to_start(self._worker, sorted(batch.lost))
        waiting: set[int] = set()
        for state, photo_ids in batch.put_by().items():
            ledger.put_by(self._worker, photo_ids, state)
            waiting.update(photo_ids)
        ready = [pk for pk in batch.items if pk not in batch.lost | waiting]
        ledger.finish(self._worker, ready)
        counting.fold_now_and_then()
        batch.release()
        return len(ready)

    def _run_step(self, step: ModelStep, due: Sequence[Item], batch: Batch) -> StepOutcome:
        """Run one step in chunks; stops between chunks when asked to, with what is done so far."""
        outcome = StepOutcome(step.name, step.engine_id() or "")
        try:
            step.require()
        except EngineUnavailable as error:
            outcome.skipped = dict.fromkeys((item.photo_id for item in due), str(error))
            return outcome
        for start in range(0, len(due), step.chunk):
            if self._should_stop():
                break
            self._hands.keep()
            self._reporter.tell()
            _compute(step, due[start : start + step.chunk], batch, outcome)
        return outcome


def _slow_chunk() -> int:
    """A slow step's chunk is a batch of its own: a crash loses no more than one answer of the engine."""
    return min((step.chunk for step in steps() if step.state in SLOW_STATES), default=1000)


def _is_ready(step: ModelStep) -> bool:
    try:
        step.require()
    except EngineUnavailable:
        return False
    return True


def due_steps(photo_ids: Sequence[int]) -> dict[StepRun.Step, list[int]]:
    """For each step the photos that never had it, have to run it again, or had it from another engine."""
    runs = {
        (photo_id, step): (status, engine)
        for photo_id, step, status, engine in StepRun.objects.filter(photo_id__in=photo_ids).values_list(
            "photo_id", "step", "status", "engine"
        )
    }
    due: dict[StepRun.Step, list[int]] = {}
    for step in steps():
        today = step.engine_id()
        due[step.name] = []
        for photo_id in photo_ids:
            status, engine = runs.get((photo_id, step.name), (StepRun.Status.PENDING, ""))
            stale = today is not None and not ledger.is_by(engine, today)
            if status == StepRun.Status.PENDING or stale:
                due[step.name].append(photo_id)
    return due


def _compute(step: ModelStep, items: Sequence[Item], batch: Batch, outcome: StepOutcome) -> None:
    """Compute a chunk; when it fails, each photo alone, so that one bad photo never fails its neighbours."""
    started = time.perf_counter()
    try:
        results: list[Any] = step.compute(items, batch.vectors)
        if len(results) != len(items):
            raise EngineFailed(f"{outcome.engine} gave {len(results)} results for {len(items)} pictures.")
    except DatabaseProblem:
        raise
    except EngineUnavailable as error:
        outcome.skipped.update((item.photo_id, str(error)) for item in items)
        return
    except Exception as error:  # noqa: BLE001 - engines raise anything; it goes into the ledger, not away
        if len(items) == 1:
            _fail(items[0], error, batch, outcome, started)
            return
        for item in items:
            _compute(step, [item], batch, outcome)
        return
    share = _milliseconds_since(started) // len(items)
    for item, result in zip(items, results, strict=True):
        outcome.results[item.photo_id] = result
        outcome.milliseconds[item.photo_id] = share


def _fail(item: Item, error: Exception, batch: Batch, outcome: StepOutcome, started: float) -> None:
    if isinstance(error, PreviewLost):
        logger.warning("photo.preview_lost", photo=item.photo_id, preview=str(error))
        batch.lost.add(item.photo_id)
        return
    message = f"{type(error).__name__}: {error}"
    logger.warning("step.failed", photo=item.photo_id, step=outcome.step.value, error=message)
    outcome.errors[item.photo_id] = message
    outcome.milliseconds[item.photo_id] = _milliseconds_since(started)


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
