"""What went wrong, by class: a step and a reason; and the photos that were set aside. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from ingest.leases import MOST_LOST_LEASES
from ingest.models import StepRun
from ingest.reasons import normalise
from library.models import Photo, PhotoQuerySet

#: Classes shown at once; more mean that something unknown varies between the messages.
MOST_CLASSES = 200


@dataclass(frozen=True, slots=True)
class FailureClass:
    """Photos at which a step failed for the same reason. ``example`` is the latest message, in full."""

    step: str
    reason: str
    photos: int
    example: str
    example_photo: int


def failed_runs() -> QuerySet[StepRun]:
    """The entries of the ledger that may be tried again; photos that were set aside are not among them."""
    failed = StepRun.objects.filter(status=StepRun.Status.FAILED).order_by("pk")
    return failed.exclude(photo__in=set_aside().values("pk"))


def chosen_runs(*, step: str = "", reason: str = "", text: str = "", photo: int | None = None) -> Any:
    """Failed entries of a step, of a class (``reason``, exactly), of a photo.

    ``text`` is what a person typed or pasted: a part of the message, or a whole message of another photo of
    the same class. Upper and lower case are the same.
    """
    runs = failed_runs()
    if step:
        runs = runs.filter(step=step)
    if reason:
        runs = runs.filter(reason=reason)
    if text:
        runs = runs.filter(Q(error__icontains=text) | Q(reason__icontains=text) | Q(reason=normalise(text)))
    return runs if photo is None else runs.filter(photo_id=photo)


def classes(most: int = MOST_CLASSES, runs: QuerySet[StepRun] | None = None) -> list[FailureClass]:
    """The classes with the most photos first. Two queries, the first from an index alone."""
    failed = StepRun.objects.filter(status=StepRun.Status.FAILED) if runs is None else runs
    counted = failed.order_by().values("step", "reason").annotate(n=Count("pk"), latest=Max("pk"))
    rows: list[Any] = list(counted.order_by("-n", "step", "reason")[:most])
    examples = StepRun.objects.only("photo_id", "error").in_bulk([row["latest"] for row in rows])
    return [
        FailureClass(
            row["step"],
            row["reason"],
            row["n"],
            examples[row["latest"]].error if row["latest"] in examples else "",
            examples[row["latest"]].photo_id if row["latest"] in examples else 0,
        )
        for row in rows
    ]


def failed_by_step() -> dict[str, int]:
    """How many entries of each step are failed now."""
    failed = StepRun.objects.filter(status=StepRun.Status.FAILED).order_by()
    return dict(failed.values_list("step").annotate(n=Count("pk")))


def set_aside() -> PhotoQuerySet:
    """Photos over which worker after worker died."""
    return Photo.objects.filter(state=Photo.State.FAILED, lost_leases__gte=MOST_LOST_LEASES)


def stories(most: int = 50) -> QuerySet[Photo]:
    """Photos that were set aside, the latest first, with their files and every loss in its order."""
    photos: QuerySet[Photo] = set_aside().defer("exif").prefetch_related("files", "losses")
    return photos.order_by("-pk")[:most]
