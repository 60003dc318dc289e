"""The files lane: claim photos, read their originals in threads, enter what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DataError, transaction
from django.utils import timezone

from ingest import counting, foreign, identities, leases, ledger
from ingest.leases import Worker
from ingest.ledger import StepOutcome
from ingest.leftovers import remove_abandoned
from ingest.models import StepRun
from ingest.runner import never
from ingest.sources import sources
from ingest.steps.preprocessing import (
    Preprocessed,
    ReadFile,
    RenditionsNotWritten,
    engine_id,
    preprocess,
    read,
)
from library.actions.times import borrow_offsets, reapply_corrections
from library.colours import store_colours
from library.duplicates import regroup
from library.models import Photo
from photos_project.logging import get_logger
from search.indexing import index_photos

logger = get_logger(__name__)
PHOTOS_A_THREAD = 4


@dataclass(slots=True)
class _Batch:
    """Claimed photos being read."""

    ids: list[int]
    reads: list[Future[ReadFile]] = field(default_factory=list)


class FilesLane:
    """Preprocesses until nothing is left or ``should_stop`` says so.

    ``threads`` decode in parallel (Pillow lets go of the interpreter lock); the next batch is being read from
    disk while the current one is decoded.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        should_stop: Callable[[], bool] = never,
        on_progress: Callable[[], object] = bool,
    ) -> None:
        self._worker = Worker.this_process()
        self._hands = leases.Hands(self._worker)
        self._threads = threads
        self._should_stop = should_stop
        self._on_progress = on_progress

    def run(self) -> int:
        """Work; returns the number of photos finished."""
        leases.recover()
        remove_abandoned()
        finished = 0
        with ThreadPoolExecutor(self._threads, thread_name_prefix="files") as pool, self._hands as hands:
            batch = self._claim(pool)
            while batch and not self._should_stop():
                hands.take_up(batch.ids)
                upcoming = self._claim(pool)
                finished += self._run_batch(batch, pool)
                if upcoming is None:
                    hands.put_down()
                    upcoming = self._claim(pool)
                batch = upcoming
        counting.fold_now_and_then(now=True)
        return finished

    def _claim(self, pool: ThreadPoolExecutor) -> _Batch | None:
        ids = self._hands.claim(Photo.FILES_LANE_STATES, PHOTOS_A_THREAD * self._threads)
        if not ids:
            return None
        ledger.begin(ids)
        return _Batch(ids, [pool.submit(read, source) for source in sources(ids)])

    def _run_batch(self, batch: _Batch, pool: ThreadPoolExecutor) -> int:
        self._hands.keep()
        reads = [future.result() for future in batch.reads]
        known = _owners(reads)
        futures: dict[int, Future[Preprocessed]] = {}
        taken: set[str] = set()
        for found in reads:
            owner = known.get(found.sha256 or "")
            elsewhere = owner is not None and owner != found.source.photo_id
            if elsewhere or (found.sha256 and found.sha256 in taken):
                continue
            taken.add(found.sha256 or "")
            futures[found.source.photo_id] = pool.submit(preprocess, found)
        results = {pk: _result(future) for pk, future in futures.items()}
        enter(self._worker, reads, results)
        counting.fold_now_and_then()
        self._on_progress()
        return len(reads)


def _result(future: Future[Preprocessed]) -> Preprocessed:
    """What came of a picture. Only what is wrong with our own disk stops the lane."""
    try:
        return future.result()
    except RenditionsNotWritten:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything; it is recorded with the photo
        return Preprocessed({}, f"{type(error).__name__}: {error}", 0)


def _owners(reads: Sequence[ReadFile]) -> dict[str, int]:
    """Which photo has which of these contents already."""
    hashes = [found.sha256 for found in reads if found.sha256]
    owners = Photo.objects.filter(sha256__in=hashes).values_list("sha256", "pk")
    return {sha256: pk for sha256, pk in owners if sha256}


@transaction.atomic
def enter(worker: Worker, reads: Sequence[ReadFile], results: Mapping[int, Preprocessed]) -> None:
    """Write what preprocessing found: new contents become photos, known ones get one more file."""
    ledger.lock_books()
    held = ledger.lock_held(worker, [found.source.photo_id for found in reads])
    entry = identities.Entry(held)
    outcome = StepOutcome(StepRun.Step.PREPROCESSING, engine_id())
    entered: list[tuple[int, ReadFile]] = []
    counted: list[ReadFile] = []
    for found in entry.in_order(reads):
        photo = entry.photo_of(found)
        if photo is None:
            continue
        counted.append(found)
        owner = entry.other_owner(photo, found)
        result = results.get(photo.pk)
        if owner:
            entered.append((owner.pk, found))
            entry.hand_over(photo, found, owner)
        elif result is None:
            # When its bytes were compared they were another photo's, or they come twice in this batch.
            entry.next_states[photo.pk] = Photo.State.PENDING
        else:
            entered.append((photo.pk, found))
            outcome.milliseconds[photo.pk] = result.milliseconds
            if photo.sha256 and photo.sha256 != found.sha256:
                entry.regrouped.add(photo.pk)
            entry.note_places(photo, found)
            entry.next_states[photo.pk] = _enter_one(photo, found, result, outcome)
    foreign.enter_people(results, list(outcome.results))
    foreign.enter_places(results, list(outcome.results))
    foreign.enter_albums(entered)
    done = [(pk, found) for pk, found in entered if pk in outcome.results and pk == found.source.photo_id]
    foreign.enter_videos(results, done)
    borrow_offsets(photo_ids=list(outcome.results))
    reapply_corrections(photo_ids=list(outcome.results))
    store_colours(photo_ids=list(outcome.results))
    identities.record_versions(counted)
    ledger.enter(outcome, held)
    ledger.move(held.values(), entry.next_states, outcome=outcome)
    Photo.objects.filter(pk__in=held).update(lease_until=None, leased_by="")
    entry.hear_again()
    if entry.regrouped:
        regroup(photo_ids=entry.regrouped)
    index_photos({*outcome.results, *entry.regrouped})


def _enter_one(photo: Photo, found: ReadFile, result: Preprocessed, outcome: StepOutcome) -> Photo.State:
    fields: dict[str, Any] = {}
    if found.sha256 and found.sha256 != photo.sha256:
        if photo.sha256:
            identities.forget_content(photo, kept_file=found.file_id)
        fields = {"sha256": found.sha256, "renditions_at": None}
    error = result.error
    if not error:
        seen = {**fields, **result.fields, "renditions_at": timezone.now(), "missing_since": None}
        try:
            with transaction.atomic():
                Photo.objects.filter(pk=photo.pk).update(**seen)
        except DataError as refused:
            error = f"Its metadata cannot be stored: {refused}"
    if error:
        outcome.errors[photo.pk] = error
        Photo.objects.filter(pk=photo.pk).update(error_message=error, **fields)
        logger.warning("photo.rejected", photo=photo.pk, error=error)
        return Photo.State.FAILED
    outcome.results[photo.pk] = True
    return Photo.State.PROCESSING_OBJECTS


def file_threads() -> int:
    """How many threads a foreground run decodes with."""
    return int(settings.FILES_WORKERS)
