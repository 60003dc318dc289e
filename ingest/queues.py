"""What waits for a lane, as queues: the photos of one session, or those of none, of one priority.

A session has its priority, and whether it is paused or cancelled, in its own row: to change them takes one
write, whatever the number of its photos. So a claim first asks which queues have something, then takes from
the most urgent one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet

from ingest.models import ScanSession
from library.models import Photo


@dataclass(frozen=True, slots=True)
class Queue:
    """Free photos that share ``scan`` and ``priority``; ``urgency`` is the priority that counts."""

    scan: int
    priority: int
    urgency: int

    def photos(self, states: Sequence[str], *, suspects: bool) -> QuerySet[Photo]:
        """They, the oldest first."""
        kind = Q(lost_leases__gt=0) if suspects else Q(lost_leases=0)
        free = Photo.objects.filter(kind, state__in=states, lease_until__isnull=True)
        return free.filter(scan=self.scan, priority=self.priority).order_by("pk")


def queues(states: Sequence[str], *, suspects: bool = False) -> list[Queue]:
    """The queues of a lane that may be worked on now, in order: uploads first, then by priority and age."""
    found = _waiting(states, suspects=suspects)
    sessions = ScanSession.objects.filter(pk__in={scan for scan, _ in found if scan})
    known = {session.pk: session for session in sessions.only("priority", "paused", "status")}
    open_queues = []
    for scan, priority in found:
        session = known.get(scan)
        if session is None:
            open_queues.append(Queue(scan, priority, priority))
        elif not session.held:
            open_queues.append(Queue(scan, priority, session.priority))
    return sorted(open_queues, key=lambda queue: (queue.urgency, queue.scan, queue.priority))


def anything_waits(states: Sequence[str]) -> bool:
    """Whether a worker that is free could claim something."""
    return bool(queues(states) or queues(states, suspects=True))


def _waiting(states: Sequence[str], *, suspects: bool) -> list[tuple[int, int]]:
    """The pairs of session and priority that free photos have: a jump from one to the next in the index.

    https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    # One state after the other: only then is it clear to the planner which index holds them.
    names = ", ".join(["%s"] * len(states))
    lost = "lost_leases > 0" if suspects else "lost_leases = 0"
    free = f"state IN ({names}) AND lease_until IS NULL AND {lost}"
    statement = f"""
        WITH RECURSIVE queue AS (
            (SELECT scan, priority FROM library_photo WHERE {free} ORDER BY scan, priority, id LIMIT 1)
            UNION ALL
            SELECT following.* FROM queue, LATERAL (
                SELECT scan, priority FROM library_photo
                WHERE {free} AND (scan, priority) > (queue.scan, queue.priority)
                ORDER BY scan, priority, id LIMIT 1
            ) following
        ) SELECT scan, priority FROM queue
    """  # noqa: S608 - our own words
    with connection.cursor() as cursor:
        cursor.execute(statement, [*states, *states])
        return list(cursor.fetchall())


def waiting_photos() -> Iterator[QuerySet[Photo]]:
    """The photos of each index of the queues, to be counted from it alone."""
    slow = {Photo.State.PROCESSING_DESCRIPTIONS}
    for states in (
        Photo.FILES_LANE_STATES,
        tuple(state for state in Photo.MODELS_LANE_STATES if state not in slow),
        tuple(slow),
    ):
        yield Photo.objects.filter(state__in=states)
