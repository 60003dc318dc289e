"""The books: what each step did to each photo, and the state that follows. Nothing else writes either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ingest import states, tallies
from ingest.leases import Worker
from ingest.models import StepRun
from ingest.reasons import normalise
from library.models import Photo
from photos_project.logging import get_logger
from search.indexing import index_photos

logger = get_logger(__name__)
_BOOKS_LOCK = 0x4E1A_0001
#: Stands between an engine and what it was asked for beyond its usual result: whoever has the extra has the
#: usual result, too, and is not stale when the extra is not asked for any more.
EXTRA = " +"
_STEP_FIELDS = ["engine", "status", "attempts", "milliseconds", "error", "reason", "updated_at"]


@dataclass(slots=True)
class StepOutcome:
    """What one step did to a part of a batch. ``results`` are to be saved, ``errors`` to be recorded."""

    step: StepRun.Step
    engine: str
    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    milliseconds: dict[int, int] = field(default_factory=dict)

    @property
    def photo_ids(self) -> list[int]:
        """Everything that was decided about."""
        return [*self.results, *self.errors, *self.skipped]

    def __contains__(self, photo_id: int) -> bool:
        """Whether it was decided about this photo."""
        return photo_id in self.results or photo_id in self.errors or photo_id in self.skipped


def lock_books() -> None:
    """Wait for everybody else who is writing about many photos; held until the transaction ends.

    Photos are found, read, looked at and grouped in different orders, so two writers that lock them one by
    one could wait for each other for ever. A writer that stands still (SIGSTOP, a machine that sleeps) loses
    its transaction, and the lock with it, when its leases have run out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), pg_advisory_xact_lock(%s)",
            [f"{settings.LEASE_SECONDS}s", _BOOKS_LOCK],
        )


def lock_held(worker: Worker, photo_ids: Iterable[int]) -> dict[int, Photo]:
    """Lock those of the photos whose lease is still ours: what another worker took over is its to write."""
    held = Photo.objects.select_for_update().filter(pk__in=list(photo_ids), leased_by=worker.name)
    return {photo.pk: photo for photo in held.order_by("pk")}


@transaction.atomic
def record(
    worker: Worker,
    outcome: StepOutcome,
    save: Callable[[dict[int, Any]], None],
    next_states: Mapping[int, Photo.State],
) -> None:
    """Save the results of a step, enter them in the ledger and move the photos on, all or nothing."""
    lock_books()
    held = lock_held(worker, outcome.photo_ids)
    # A photo whose file changed meanwhile went back to the start: what was seen of it is about old bytes.
    held = {pk: photo for pk, photo in held.items() if photo.state in Photo.MODELS_LANE_STATES}
    results = {pk: result for pk, result in outcome.results.items() if pk in held}
    if results:
        save(results)
    enter(outcome, held)
    onward = {pk: states.later(held[pk].state, after) for pk, after in next_states.items() if pk in held}
    move(held.values(), onward, outcome=outcome)


def enter(outcome: StepOutcome, held: Mapping[int, Photo]) -> None:
    """Write the StepRuns of an outcome."""
    before = dict(
        StepRun.objects.filter(photo_id__in=held, step=outcome.step).values_list("photo_id", "attempts")
    )
    now = timezone.now()
    rows = [
        StepRun(
            photo_id=pk,
            step=outcome.step,
            engine="" if pk in outcome.skipped else outcome.engine,
            status=_status(outcome, pk),
            attempts=before.get(pk, 0) + 1,
            milliseconds=outcome.milliseconds.get(pk, 0),
            error=outcome.errors.get(pk) or outcome.skipped.get(pk, ""),
            reason=normalise(outcome.errors.get(pk, "")),
            updated_at=now,
        )
        for pk in outcome.photo_ids
        if pk in held
    ]
    tallies.count(rows)
    tallies.count_in_sessions(rows, {pk: photo.scan for pk, photo in held.items() if photo.scan})
    StepRun.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["photo", "step"], update_fields=_STEP_FIELDS
    )


def _status(outcome: StepOutcome, pk: int) -> StepRun.Status:
    if pk in outcome.results:
        return StepRun.Status.DONE
    return StepRun.Status.SKIPPED if pk in outcome.skipped else StepRun.Status.FAILED


def move(
    photos: Iterable[Photo],
    next_states: Mapping[int, Photo.State],
    *,
    outcome: StepOutcome | None = None,
    release: bool = False,
) -> None:
    """Move locked photos to their next states, renew (or end) their leases, forget earlier lost ones.

    ``outcome``: the step after which they move.
    """
    by_state: dict[Photo.State, list[int]] = {}
    for photo in photos:
        after = next_states.get(photo.pk, photo.state)
        states.check(photo.state, after)
        by_state.setdefault(Photo.State(after), []).append(photo.pk)
        tell(photo.pk, photo.state, after, outcome)
    now = timezone.now()
    lease: dict[str, Any] = {"lease_until": now + timedelta(seconds=settings.LEASE_SECONDS)}
    if release:
        lease = {"lease_until": None, "leased_by": ""}
    for state, ids in by_state.items():
        # What is finished waits for no session: if it is opened again, it is not for that one.
        finished = {"scan": 0} if state in states.FINAL else {}
        Photo.objects.filter(pk__in=ids).update(
            state=state, lost_leases=0, updated_at=now, **lease, **finished
        )


def tell(photo_id: int, before: str, after: str, outcome: StepOutcome | None = None) -> None:
    """The log line of a transition: with the step that was run, its engine, status and milliseconds."""
    fields: dict[str, Any] = {"photo": photo_id, "before": str(before), "after": str(after)}
    if outcome and photo_id in outcome:
        skipped = photo_id in outcome.skipped
        fields["step"] = outcome.step.value
        fields["engine"] = None if skipped else outcome.engine
        fields["status"] = _status(outcome, photo_id).value
        fields["milliseconds"] = outcome.milliseconds.get(photo_id)
    logger.info("photo.state", **fields)


def begin(photo_ids: Sequence[int]) -> None:
    """Claimed photos that wait for the files lane are being read now."""
    pending = Photo.objects.filter(pk__in=photo_ids, state=Photo.State.PENDING)
    begun = list(pending.values_list("pk", flat=True))
    Photo.objects.filter(pk__in=begun).update(state=Photo.State.PREPROCESSING)
    for pk in begun:
        tell(pk, Photo.State.PENDING, Photo.State.PREPROCESSING)


def read_again(photos: QuerySet[Photo]) -> list[int]:
    """Send these photos back to the start: there is something new to be read. Returns their keys."""
    before = dict(photos.order_by("pk").values_list("pk", "state"))
    photos.filter(pk__in=before).update(state=Photo.State.PENDING, error_message="", lost_leases=0)
    for pk, was in before.items():
        if was != Photo.State.PENDING:
            tell(pk, was, Photo.State.PENDING)
    return list(before)


@transaction.atomic
def finish(worker: Worker, photo_ids: Sequence[int]) -> None:
    """Make the photos findable, close them as completed or partial, and give their leases back."""
    lock_books()
    held = lock_held(worker, photo_ids)
    open_ids = [pk for pk, photo in held.items() if photo.state in Photo.MODELS_LANE_STATES]
    index_photos(open_ids)
    failed = set(
        StepRun.objects.filter(photo_id__in=open_ids, status=StepRun.Status.FAILED).values_list(
            "photo_id", flat=True
        )
    )
    after = {pk: Photo.State.PARTIAL if pk in failed else Photo.State.COMPLETED for pk in open_ids}
    move([held[pk] for pk in open_ids], after)
    Photo.objects.filter(pk__in=held).update(lease_until=None, leased_by="")


@transaction.atomic
def put_by(worker: Worker, photo_ids: Sequence[int], state: Photo.State) -> None:
    """Make the photos findable with what is known of them, and give their leases back: the rest is slow."""
    lock_books()
    held = lock_held(worker, photo_ids)
    open_ids = [pk for pk, photo in held.items() if photo.state in Photo.MODELS_LANE_STATES]
    index_photos(open_ids)
    move([held[pk] for pk in open_ids], dict.fromkeys(open_ids, state))
    Photo.objects.filter(pk__in=held).update(lease_until=None, leased_by="")


@transaction.atomic
def back_to_start(worker: Worker, photo_ids: Sequence[int]) -> None:
    """Have the originals read again (their previews are gone), and give the leases back."""
    lock_books()
    held = lock_held(worker, photo_ids)
    move(held.values(), dict.fromkeys(held, Photo.State.PENDING))
    Photo.objects.filter(pk__in=held).update(lease_until=None, leased_by="")


def is_by(engine: str, today: str) -> bool:
    """Whether an entry made by ``engine`` holds what today's would give."""
    return engine == today or engine.startswith(today + EXTRA)


def without(photos: QuerySet[Photo], step: StepRun.Step, engine: str) -> QuerySet[Photo]:
    """Those of the photos that this engine has not run this step on, or that are to run it again."""
    same = Q(engine=engine) | Q(engine__startswith=engine + EXTRA)
    runs = StepRun.objects.filter(same, photo=OuterRef("pk"), step=step)
    return photos.filter(~Exists(runs.exclude(status=StepRun.Status.PENDING)))


@transaction.atomic
def take_up_again(
    worker: Worker, photos: QuerySet[Photo], state: Photo.State, most: int
) -> dict[int, Photo.State]:
    """Lease up to ``most`` free photos among these and put them into ``state``; gives their former states."""
    free = photos.filter(lease_until__isnull=True)
    locked = free.order_by("priority", "pk").select_for_update(skip_locked=True, of=("self",))
    ids = list(locked.values_list("pk", flat=True)[:most])
    # Asked again: another worker may have finished one between the look and the lock.
    before = {pk: Photo.State(was) for pk, was in free.filter(pk__in=ids).values_list("pk", "state")}
    for was in before.values():
        states.check(was, state)
    now = timezone.now()
    Photo.objects.filter(pk__in=before).update(
        state=state,
        lease_until=now + timedelta(seconds=settings.LEASE_SECONDS),
        leased_by=worker.name,
        updated_at=now,
    )
    for pk, was in before.items():
        tell(pk, was, state)
    return before


def reopen_stale(engines: Mapping[StepRun.Step, tuple[Photo.State, str | None]]) -> int:
    """Open finished photos again of which a step is missing or was run by another engine than today's.

    ``engines`` maps each step, in order, to its state and the identity of its live engine (None: not live;
    results of an engine that is gone stay). Returns the number of photos opened.
    """
    opened = 0
    finished = Photo.objects.filter(state__in=(Photo.State.COMPLETED, Photo.State.PARTIAL))
    for step, (state, engine) in engines.items():
        if engine is None:
            continue
        stale = without(finished, step, engine)
        if state == Photo.State.PENDING:
            stale = stale.filter(missing_since__isnull=True)  # there is nothing to be read
        found = stale.update(state=state, updated_at=timezone.now())
        if found:  # one line for all: a new model opens the whole library
            logger.info("ledger.reopened", photos=found, after=str(state), step=step.value, engine=engine)
        opened += found
    return opened


@transaction.atomic
def retry(runs: QuerySet[StepRun]) -> int:
    """Run these entries of the ledger again. Returns the number of photos opened."""
    lock_books()
    chosen = list(runs.order_by().values_list("pk", "photo_id"))
    StepRun.objects.filter(pk__in=[pk for pk, _ in chosen]).update(status=StepRun.Status.PENDING)
    return _open(Photo.objects.filter(pk__in={photo for _, photo in chosen}))


@transaction.atomic
def retry_photos(photos: QuerySet[Photo]) -> int:
    """Run again what failed of these photos; also those that were set aside. Returns how many were opened."""
    lock_books()
    ids = list(photos.order_by().values_list("pk", flat=True))
    failed = StepRun.objects.filter(photo_id__in=ids, status=StepRun.Status.FAILED)
    failed.update(status=StepRun.Status.PENDING)
    return _open(Photo.objects.filter(pk__in=ids))


def _open(photos: QuerySet[Photo]) -> int:
    """Send finished photos to the first step that is to be run."""
    waiting = StepRun.objects.filter(photo=OuterRef("pk"), status=StepRun.Status.PENDING)
    unread = Q(renditions_at__isnull=True) | Q(Exists(waiting.filter(step=StepRun.Step.PREPROCESSING)))
    finished = photos.filter(state__in=states.FINAL)
    before = dict(finished.order_by("pk").select_for_update(of=("self",)).values_list("pk", "state"))
    restarted = set(finished.filter(unread, pk__in=before).values_list("pk", flat=True))
    fresh = {"error_message": "", "lost_leases": 0, "updated_at": timezone.now()}
    for state, ids in (
        (Photo.State.PENDING, restarted),
        (Photo.State.PROCESSING_OBJECTS, before.keys() - restarted),
    ):
        Photo.objects.filter(pk__in=ids).update(state=state, **fresh)
        for pk in sorted(ids):
            tell(pk, before[pk], state)
    return len(before)
