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
from ingest.sources import Source, sources
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
    """Claimed photos: being read, then being decoded."""

    ids: list[int]
    reading: list[tuple[Source, Future[ReadFile]]]
    reads: list[ReadFile] = field(default_factory=list)
    decoding: dict[int, Future[Preprocessed]] = field(default_factory=dict)

    def wait(self) -> dict[int, Preprocessed]:
        """What came of the pictures, once all are decoded."""
        return {pk: _result(future) for pk, future in self.decoding.items()}

    def contents(self) -> set[str]:
        """Hashes of what was read."""
        return {found.sha256 for found in self.reads if found.sha256}


class FilesLane:
    """Preprocesses until nothing is left or ``should_stop`` says so.

    ``threads`` decode in parallel (Pillow and libvips let go of the interpreter lock). While they decode one
    batch, the one before is entered here.
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
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="files")
        try:
            with self._hands:
                return self._run(pool)
        finally:
            pool.shutdown(cancel_futures=True)

    def _run(self, pool: ThreadPoolExecutor) -> int:
        finished = 0
        batch: _Batch | None = None
        while True:
            upcoming = None if self._should_stop() else self._claim(pool)
            results = batch.wait() if batch else {}
            if upcoming:
                self._decode(upcoming, pool, batch.contents() if batch else set())
            if batch:
                self._enter(batch, results)
                finished += len(batch.reads)
            if upcoming:
                self._hands.take_up(upcoming.ids)
            elif batch:
                # What must be alone in hand is claimed in the next round.
                self._hands.put_down()
            else:
                return finished
            batch = upcoming

    def _claim(self, pool: ThreadPoolExecutor) -> _Batch | None:
        self._hands.keep()
        ids = self._hands.claim(Photo.FILES_LANE_STATES, PHOTOS_A_THREAD * self._threads)
        if not ids:
            return None
        ledger.begin(ids)
        return _Batch(ids, [(source, pool.submit(read, source)) for source in sources(ids)])

    def _decode(self, batch: _Batch, pool: ThreadPoolExecutor, at_hand: set[str]) -> None:
        """Have every content decoded that no other photo has; ``at_hand`` is being entered just now."""
        taken = set(at_hand)
        reads = [_read(source, future) for source, future in batch.reading]
        batch.reading.clear()
        known = _owners(reads)
        for found in reads:
            owner = known.get(found.sha256 or "")
            elsewhere = owner is not None and owner != found.source.photo_id
            if not (elsewhere or (found.sha256 and found.sha256 in taken)):
                taken.add(found.sha256 or "")
                batch.decoding[found.source.photo_id] = pool.submit(preprocess, found)
            batch.reads.append(found.without_data())

    def _enter(self, batch: _Batch, results: dict[int, Preprocessed]) -> None:
        enter(self._worker, batch.reads, results)
        counting.fold_now_and_then()
        self._on_progress()


def _read(source: Source, future: Future[ReadFile]) -> ReadFile:
    """What was read. Whatever else goes wrong with the files of one photo is told with that photo."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - readers of foreign files raise anything; it is recorded
        return ReadFile(source, error=f"{type(error).__name__}: {error}")


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
