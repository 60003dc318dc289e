"""The files lane: claim photos, read their originals in threads, enter what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings

from ingest import counting, leases, ledger
from ingest.entering import enter
from ingest.leases import Worker
from ingest.leftovers import remove_abandoned
from ingest.runner import never
from ingest.sources import sources
from ingest.steps.preprocessing import (
    Preprocessed,
    ReadFile,
    RenditionsNotWritten,
    preprocess,
    read,
)
from library.models import Photo

#: More make the writing cheaper (its statements are per batch), and the wait for a clean end longer.
PHOTOS_A_THREAD = 8


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


def file_threads() -> int:
    """How many threads a foreground run decodes with."""
    return int(settings.FILES_WORKERS)
