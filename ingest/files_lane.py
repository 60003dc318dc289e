"""The files lane: claim photos, read their originals in threads, enter what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ingest import leases, ledger
from ingest.leases import Worker
from ingest.ledger import StepOutcome
from ingest.models import StepRun
from ingest.runner import never
from ingest.steps.preprocessing import ENGINE, Preprocessed, ReadFile, Source, preprocess, read
from library.models import Photo, PhotoEmbedding, PhotoFile
from library.storage import original_path, rendition_path
from photos_project.logging import get_logger
from search.indexing import index_photos

logger = get_logger(__name__)
PHOTOS_A_THREAD = 4
#: Serialises the short moment in which hashes become identities, so that no content gets two photos.
IDENTITY_LOCK = 0x4E1A_0001


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
        self._threads = threads
        self._should_stop = should_stop
        self._on_progress = on_progress

    def run(self) -> int:
        """Work; returns the number of photos finished."""
        leases.recover()
        finished = 0
        with ThreadPoolExecutor(self._threads, thread_name_prefix="files") as pool:
            batch = self._claim(pool)
            while batch and not self._should_stop():
                upcoming = self._claim(pool)
                finished += self._run_batch(batch, pool)
                batch = upcoming
            if batch:
                leases.release(self._worker, batch.ids)
        return finished

    def _claim(self, pool: ThreadPoolExecutor) -> _Batch | None:
        ids = leases.claim(self._worker, Photo.FILES_LANE_STATES, PHOTOS_A_THREAD * self._threads)
        if not ids:
            return None
        pending = Photo.objects.filter(pk__in=ids, state=Photo.State.PENDING)
        pending.update(state=Photo.State.PREPROCESSING)
        return _Batch(ids, [pool.submit(read, source) for source in _sources(ids)])

    def _run_batch(self, batch: _Batch, pool: ThreadPoolExecutor) -> int:
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
        results = {pk: future.result() for pk, future in futures.items()}
        enter(self._worker, reads, results)
        self._on_progress()
        return len(reads)


def _sources(ids: Sequence[int]) -> list[Source]:
    paths: dict[int, list[bytes]] = {pk: [] for pk in ids}
    for file in PhotoFile.objects.present().filter(photo_id__in=ids).select_related("root").order_by("pk"):
        paths[file.photo_id].append(original_path(file))
    return [Source(pk, found) for pk, found in paths.items()]


def _owners(reads: Sequence[ReadFile]) -> dict[str, int]:
    """Which photo has which of these contents already."""
    hashes = [found.sha256 for found in reads if found.sha256]
    owners = Photo.objects.filter(sha256__in=hashes).values_list("sha256", "pk")
    return {sha256: pk for sha256, pk in owners if sha256}


@transaction.atomic
def enter(worker: Worker, reads: Sequence[ReadFile], results: Mapping[int, Preprocessed]) -> None:
    """Write what preprocessing found: new contents become photos, known ones get one more file."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IDENTITY_LOCK])
    held = ledger.lock_held(worker, [found.source.photo_id for found in reads])
    outcome = StepOutcome(StepRun.Step.PREPROCESSING, ENGINE)
    next_states: dict[int, Photo.State] = {}
    # Photos that had a content before come first: what they give up may be what another one brings.
    for found in sorted(reads, key=lambda found: _is_first_reading(held, found)):
        photo = held.get(found.source.photo_id)
        if photo is None or photo.state != Photo.State.PREPROCESSING:
            continue
        owner = _other_owner(photo, found)
        result = results.get(photo.pk)
        if owner and (owner.pk in next_states or owner.state not in Photo.FILES_LANE_STATES):
            _hand_over(held.pop(photo.pk), owner.pk)
        elif owner or result is None:
            # Its content is, or just was, another photo's that is being read too: read it again after that.
            next_states[photo.pk] = Photo.State.PENDING
        else:
            outcome.milliseconds[photo.pk] = result.milliseconds
            next_states[photo.pk] = _enter_one(photo, found, result, outcome)
    ledger.enter(outcome, held)
    ledger.move(held.values(), next_states, milliseconds=outcome.milliseconds)
    Photo.objects.filter(pk__in=held).update(lease_until=None, leased_by="")
    index_photos([pk for pk in outcome.results if pk in held])


def _is_first_reading(held: Mapping[int, Photo], found: ReadFile) -> bool:
    photo = held.get(found.source.photo_id)
    return photo is None or photo.sha256 is None


def _other_owner(photo: Photo, found: ReadFile) -> Photo | None:
    """The other photo that has this content, if there is one."""
    if found.sha256 is None:
        return None
    return Photo.objects.filter(sha256=found.sha256).exclude(pk=photo.pk).only("pk", "state").first()


def _enter_one(photo: Photo, found: ReadFile, result: Preprocessed, outcome: StepOutcome) -> Photo.State:
    fields: dict[str, Any] = dict(result.fields)
    if found.sha256 and found.sha256 != photo.sha256:
        if photo.sha256:
            _forget_content(photo)
        fields["sha256"] = found.sha256
    if result.error:
        outcome.errors[photo.pk] = result.error
        Photo.objects.filter(pk=photo.pk).update(error_message=result.error, **fields)
        logger.warning("photo.rejected", photo=photo.pk, error=result.error)
        return Photo.State.FAILED
    outcome.results[photo.pk] = True
    now = timezone.now()
    Photo.objects.filter(pk=photo.pk).update(renditions_at=now, missing_since=None, **fields)
    return Photo.State.PROCESSING_OBJECTS


def _hand_over(photo: Photo, owner: int) -> None:
    """The bytes are known: their files belong to the photo that has them."""
    PhotoFile.objects.present().filter(photo=photo).update(photo=owner)
    Photo.objects.filter(pk=owner).update(missing_since=None)
    logger.info("photo.same_bytes", photo=photo.pk, owner=owner)
    if photo.sha256 is None and not photo.files.exists():
        photo.delete()
        return
    # This photo was another picture until its file was replaced; it keeps its story, without a file.
    Photo.objects.filter(pk=photo.pk).update(
        state=Photo.State.COMPLETED if photo.renditions_at else Photo.State.FAILED,
        missing_since=timezone.now(),
        lease_until=None,
        leased_by="",
    )


def _forget_content(photo: Photo) -> None:
    """The file was edited in place: what the engines saw is about the old bytes, so they look again."""
    StepRun.objects.filter(photo=photo).exclude(step=StepRun.Step.PREPROCESSING).update(
        status=StepRun.Status.PENDING
    )
    PhotoEmbedding.objects.filter(photo=photo).delete()
    old = [rendition_path(photo.sha256 or "", kind) for kind in ("thumbnail", "preview")]

    def remove_old() -> None:
        for path in old:
            path.unlink(missing_ok=True)

    transaction.on_commit(remove_old)


def file_threads() -> int:
    """How many threads a foreground run decodes with."""
    return int(settings.FILES_WORKERS)
