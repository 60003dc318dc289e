"""Run again, on somebody's word, what failed, what was set aside, or a selection; with an AuditEvent.

Everything goes in chunks of one transaction each: a million photos do not hold up the workers, and what was
opened stays opened when it is broken off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import psutil
from django.db import transaction
from django.db.models import QuerySet

from ingest import ledger, states
from ingest.failures import set_aside
from ingest.models import StepRun
from ingest.pipeline import STEPS, switched_off
from library.engines import registry
from library.models import AuditEvent, CropEmbedding, EmbeddingSpace, Photo, PhotoEmbedding
from photos_project.logging import get_logger
from vision.errors import EngineUnavailable

logger = get_logger(__name__)
CHUNK = 2000
#: Pages open about so many at once: some seconds. Commands know no limit.
AT_ONCE = 20_000


class ReprocessRefused(Exception):  # noqa: N818 - an answer to a person
    """This cannot be run again here; says why and what helps."""


@dataclass(frozen=True, slots=True)
class Opened:
    """``entries`` of the ledger run again; ``photos`` were opened for that, others are ``under_way``.

    ``more``: as many as were asked for at once were opened, and some are left.
    """

    entries: int = 0
    photos: int = 0
    under_way: int = 0
    more: bool = False

    @property
    def sentence(self) -> str:
        """For people."""
        if not (self.entries or self.photos):
            return "Nothing to run again."
        parts = [_count(self.photos, "photo") + (" was opened" if self.photos == 1 else " were opened")]
        if self.entries:
            parts.append(_count(self.entries, "step") + " to be run again")
        if self.under_way:
            parts.append(f"{self.under_way:,} under way already")
        rest = " More are left: do the same again, or use the command." if self.more else ""
        return ", ".join(parts) + "." + rest

    def plus(self, entries: int, photos: int, under_way: int) -> Opened:
        """With one more chunk."""
        return Opened(self.entries + entries, self.photos + photos, self.under_way + under_way)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class By:
    """Who asks, and where: kept in the AuditEvent."""

    actor_id: int | None
    door: str
    account: str = ""

    @classmethod
    def command(cls) -> By:
        """Somebody at a terminal: an account of the machine, not of Heirloom."""
        return cls(None, "command", psutil.Process().username())

    def as_data(self) -> dict[str, str]:
        """For the event."""
        return {"by": self.door, **({"account": self.account} if self.account else {})}


def retry_runs(*, runs: QuerySet[StepRun], by: By, chosen: dict[str, Any], most: int | None = None) -> Opened:
    """Run these entries of the ledger again; ``chosen`` says in the audit how they were chosen.

    ``most``: a page that somebody waits for opens no more than about so many at once.
    """

    def retry_chunk(ids: Sequence[int]) -> tuple[int, int, int]:
        chunk = StepRun.objects.filter(pk__in=ids)
        photos = Photo.objects.filter(pk__in=chunk.values("photo"))
        under_way = photos.exclude(state__in=states.FINAL).count()
        return len(ids), ledger.retry(chunk), under_way

    return _in_chunks("retry", runs, retry_chunk, by, chosen, most)


def retry_photos(
    *, photos: QuerySet[Photo], by: By, chosen: dict[str, Any], most: int | None = None
) -> Opened:
    """Run again what failed of these photos; also those that were set aside, whose stories are kept."""

    def retry_chunk(ids: Sequence[int]) -> tuple[int, int, int]:
        failed = StepRun.objects.filter(photo_id__in=ids, status=StepRun.Status.FAILED).count()
        return failed, ledger.retry_photos(Photo.objects.filter(pk__in=ids)), 0

    return _in_chunks("retry photos", photos, retry_chunk, by, chosen, most)


def reprocessable(photos: QuerySet[Photo], steps: Sequence[str]) -> QuerySet[Photo]:
    """Those of the photos on which the steps can be run: they can be looked at, or at least read."""
    possible = photos.exclude(pk__in=set_aside().values("pk"))
    if StepRun.Step.PREPROCESSING in steps:
        return possible.filter(missing_since__isnull=True)
    return possible.filter(renditions_at__isnull=False)


def check_steps(steps: Sequence[str]) -> None:
    """Raise ReprocessRefused for steps that are not run here, or whose engine could not redo its work."""
    off = sorted(step.value for step in switched_off() if step in steps)
    if off:
        raise ReprocessRefused(
            f"{', '.join(off)}: switched off by the settings (DESCRIPTIONS=true turns it on)."
        )
    for step in STEPS:
        if step.name in steps:
            try:
                step.require()
            except EngineUnavailable as error:
                raise ReprocessRefused(f"{step.name.value} cannot be run here: {error}") from error


def reprocess(
    *,
    photos: QuerySet[Photo],
    steps: Sequence[str],
    by: By,
    chosen: dict[str, Any],
    most: int | None = None,
) -> Opened:
    """Run these steps of the photos again, also where they went well. Raises ReprocessRefused.

    A photo that has no entry for a step is due for it anyway. With ``embeddings`` the stored vectors of
    today's model are forgotten, or they would be used again: until they are made anew these photos are not
    found by description.
    """
    check_steps(steps)

    def open_chunk(ids: Sequence[int]) -> tuple[int, int, int]:
        ledger.lock_books()
        if StepRun.Step.EMBEDDINGS in steps:
            _forget_vectors(ids)
        under_way = Photo.objects.filter(pk__in=ids).exclude(state__in=states.FINAL).count()
        runs = StepRun.objects.filter(photo_id__in=ids, step__in=steps)
        return runs.count(), ledger.retry(runs), under_way

    chosen = {"steps": list(steps), **chosen}
    return _in_chunks("reprocess", reprocessable(photos, steps), open_chunk, by, chosen, most)


def _forget_vectors(photo_ids: Sequence[int]) -> None:
    today = registry().image_embedder().space
    spaces = EmbeddingSpace.objects.filter(
        kind=EmbeddingSpace.Kind.IMAGE, engine=today.engine, model=today.model
    )
    for model in (PhotoEmbedding, CropEmbedding):
        model._default_manager.filter(space__in=spaces, photo_id__in=photo_ids).delete()


def _in_chunks(
    action: str,
    rows: QuerySet[Any],
    open_chunk: Callable[[Sequence[int]], tuple[int, int, int]],
    by: By,
    chosen: dict[str, Any],
    most: int | None = None,
) -> Opened:
    """Open chunk after chunk by primary key; the event grows with each, in the same transaction."""
    opened, last, event = Opened(), 0, None
    while True:
        with transaction.atomic():
            ids = list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK])
            if not ids:
                break
            opened = opened.plus(*open_chunk(ids))
            last = ids[-1]
            after: dict[str, Any] = {
                "entries": opened.entries,
                "photos": opened.photos,
                "under_way": opened.under_way,
            }
            after.update(by.as_data())
            if event is None:
                event = AuditEvent.objects.create(
                    actor_id=by.actor_id,
                    action=action,
                    object_type=rows.model.__name__,
                    object_id=chosen.get("photo"),
                    before=chosen,
                    after=after,
                )
            else:
                AuditEvent.objects.filter(pk=event.pk).update(after=after)
        if most is not None and opened.entries >= most:
            opened = replace(opened, more=rows.filter(pk__gt=last).exists())
            break
    logger.info("ledger.retried", action=action, door=by.door, chosen=chosen, **asdict(opened))
    return opened
