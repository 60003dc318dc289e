"""How much work waits, and where. Each figure is one query over an index or a small table."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone
from django_q.models import OrmQ

from ingest.states import LANES, Lane
from library.models import Photo


@dataclass(frozen=True, slots=True)
class Waiting:
    """Photos of a lane and a priority that are not finished."""

    lane: Lane
    priority: int
    photos: int

    @property
    def priority_name(self) -> str:
        """``normal``; the number where it has no name."""
        known = {choice.value: choice.name.lower() for choice in Photo.Priority}
        return known.get(self.priority, str(self.priority))


@dataclass(frozen=True, slots=True)
class Queue:
    """Tasks of a lane in the broker: those that wait for a worker, and those a worker has taken."""

    lane: str
    waiting: int
    taken: int


def waiting() -> list[Waiting]:
    """By lane and priority; two queries over the indexes that the claims use."""
    states = {"files": Photo.FILES_LANE_STATES, "models": Photo.MODELS_LANE_STATES}
    return [
        Waiting(lane, priority, photos)
        for lane in LANES
        for priority, photos in Photo.objects.filter(state__in=states[lane])
        .order_by("priority")
        .values_list("priority")
        .annotate(n=Count("pk"))
    ]


def queues() -> list[Queue]:
    """The broker's tables by lane, lanes with nothing queued included."""
    now = timezone.now()
    rows = OrmQ.objects.filter(key__in=LANES).order_by().values_list("key")
    counts = {
        lane: (free, taken)
        for lane, free, taken in rows.annotate(
            free=Count("pk", filter=Q(lock__isnull=True) | Q(lock__lte=now)),
            taken=Count("pk", filter=Q(lock__gt=now)),
        )
    }
    return [Queue(lane, *counts.get(lane, (0, 0))) for lane in LANES]


def photos_by_state() -> dict[str, int]:
    """Every state with its number of photos, also those without any."""
    # Rows, not keys: the keys are not in the index of the states.
    counts = dict(Photo.objects.order_by().values_list("state").annotate(n=Count("*")))
    return {state.value: counts.get(state.value, 0) for state in Photo.State}
