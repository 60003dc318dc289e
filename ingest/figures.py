"""How much work waits, and where. Each figure is one query over an index or a small table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django_q.models import OrmQ

from ingest import counting
from ingest.models import ScanSession
from ingest.queues import waiting_photos
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
    """By lane and the priority that counts; one query for each index of the queues."""
    files, *models = waiting_photos()
    sums: Counter[tuple[Lane, int]] = Counter()
    priorities = dict(ScanSession.objects.values_list("pk", "priority"))
    by_lane: list[tuple[Lane, QuerySet[Photo]]] = [("files", files)]
    by_lane += [("models", photos) for photos in models]
    for lane, photos in by_lane:
        # Rows, not keys, for the sake of an index-only scan.
        counted = photos.order_by().values_list("scan", "priority").annotate(n=Count("*"))
        for scan, priority, count in counted:
            sums[lane, priorities.get(scan, priority)] += count
    order = {lane: position for position, lane in enumerate(LANES)}
    return [
        Waiting(lane, priority, count)
        for (lane, priority), count in sorted(sums.items(), key=lambda row: (order[row[0][0]], row[0][1]))
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
    """Every state with its number of photos, also those without any; kept, not counted."""
    counting.fold()
    counts = counting.by_state()
    return {state.value: counts.get(state.value, 0) for state in Photo.State}
