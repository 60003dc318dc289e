"""What the files lane has read becomes rows: a batch is written together, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DataError, transaction
from django.utils import timezone

from ingest import foreign, identities, ledger
from ingest.leases import Worker
from ingest.ledger import StepOutcome
from ingest.models import StepRun
from ingest.steps.preprocessing import Preprocessed, ReadFile, engine_id
from library.actions.times import borrow_offsets, reapply_corrections
from library.colours import store_colours
from library.duplicates import regroup
from library.models import Photo
from people.actions.dates import withdraw_early_names
from photos_project.logging import get_logger
from search.indexing import index_photos

logger = get_logger(__name__)


@transaction.atomic
def enter(worker: Worker, reads: Sequence[ReadFile], results: Mapping[int, Preprocessed]) -> None:
    """Write what preprocessing found: new contents become photos, known ones get one more file."""
    ledger.lock_books()
    held = ledger.lock_held(worker, [found.source.photo_id for found in reads])
    #: Nothing is known of these yet, so there is nothing to be replaced.
    fresh = {pk for pk, photo in held.items() if photo.sha256 is None}
    entry = identities.Entry(held, reads)
    outcome = StepOutcome(StepRun.Step.PREPROCESSING, engine_id())
    entered, counted = _enter_all(entry, results, outcome)
    done = list(outcome.results)
    foreign.enter_people(results, done, fresh)
    foreign.enter_places(results, done)
    foreign.enter_albums(entered)
    own = [(pk, found) for pk, found in entered if pk in outcome.results and pk == found.source.photo_id]
    foreign.enter_videos(results, own, fresh)
    borrow_offsets(photo_ids=done)
    known = [pk for pk in done if pk not in fresh]
    reapply_corrections(photo_ids=known)
    withdraw_early_names(photo_ids=known)
    store_colours(photo_ids=done)
    identities.record_versions(counted)
    ledger.enter(outcome, held)
    ledger.move(held.values(), entry.next_states, outcome=outcome, release=True)
    entry.hear_again()
    if entry.regrouped:
        regroup(photo_ids=entry.regrouped)
    index_photos({*done, *entry.regrouped})


def _enter_all(
    entry: identities.Entry, results: Mapping[int, Preprocessed], outcome: StepOutcome
) -> tuple[list[tuple[int, ReadFile]], list[ReadFile]]:
    """Every reading with the photo it turned out to be of, and all readings that counted."""
    entered: list[tuple[int, ReadFile]] = []
    counted: list[ReadFile] = []
    rows = _Rows(entry, outcome)
    for found in entry.in_order():
        photo = entry.photo_of(found)
        if photo is None:
            continue
        counted.append(found)
        result = results.get(photo.pk)
        if owner_id := entry.other_owner(photo, found):
            rows.write()
            entered.append((owner_id, found))
            entry.hand_over(photo, found, Photo.objects.get(pk=owner_id))
        elif result is None:
            # When its bytes were compared they were another photo's, or they come twice in this batch.
            entry.next_states[photo.pk] = Photo.State.PENDING
        else:
            entered.append((photo.pk, found))
            entry.note_places(photo, found)
            rows.add(photo, found, result)
    rows.write()
    return entered, counted


@dataclass(slots=True)
class _Rows:
    """Rows of photos to be written in one statement; one by one when the database refuses one of them."""

    entry: identities.Entry
    outcome: StepOutcome
    _waiting: dict[int, tuple[Photo, dict[str, Any]]] = field(default_factory=dict)

    def add(self, photo: Photo, found: ReadFile, result: Preprocessed) -> None:
        """Take one up; a photo with another content than before is written at once."""
        self.outcome.milliseconds[photo.pk] = result.milliseconds
        changed = photo.sha256 is not None and photo.sha256 != found.sha256
        fields: dict[str, Any] = {}
        if found.sha256 and found.sha256 != photo.sha256:
            if changed:
                self.write()
                self.entry.regrouped.add(photo.pk)
                identities.forget_content(photo, kept_file=found.file_id)
            self.entry.note_content(photo, found.sha256)
            fields = {"sha256": found.sha256, "renditions_at": None}
        if result.error:
            self._fail(photo, result.error, fields)
            return
        seen = {**fields, **result.fields, "renditions_at": timezone.now(), "missing_since": None}
        self._waiting[photo.pk] = photo, {"sha256": photo.sha256, **seen}
        if changed:
            self.write()

    def write(self) -> None:
        """Write what was taken up."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            with transaction.atomic():
                _write(waiting.values())
        except DataError:
            for photo, fields in waiting.values():
                self._write_one(photo, fields)
            return
        for pk in waiting:
            self._succeed(pk)

    def _write_one(self, photo: Photo, fields: dict[str, Any]) -> None:
        try:
            with transaction.atomic():
                _write([(photo, fields)])
        except DataError as refused:
            known = {"sha256": fields["sha256"], "renditions_at": None}
            self._fail(photo, f"Its metadata cannot be stored: {refused}", known)
        else:
            self._succeed(photo.pk)

    def _succeed(self, photo_id: int) -> None:
        self.outcome.results[photo_id] = True
        self.entry.next_states[photo_id] = Photo.State.PROCESSING_OBJECTS

    def _fail(self, photo: Photo, error: str, fields: dict[str, Any]) -> None:
        self.outcome.errors[photo.pk] = error
        Photo.objects.filter(pk=photo.pk).update(error_message=error, **fields)
        logger.warning("photo.rejected", photo=photo.pk, error=error)
        self.entry.next_states[photo.pk] = Photo.State.FAILED


def _write(rows: Iterable[tuple[Photo, dict[str, Any]]]) -> None:
    """The photos are there and locked: each row meets itself, so this is one UPDATE of many."""
    photos = []
    names: set[str] = set()
    for photo, fields in rows:
        for name, value in fields.items():
            setattr(photo, name, value)
        photos.append(photo)
        names |= fields.keys()
    Photo.objects.bulk_create(
        photos, update_conflicts=True, unique_fields=["id"], update_fields=sorted(names)
    )
