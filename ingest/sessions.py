"""Sessions: folders that somebody chose to be taken in, with a priority; paused, resumed, cancelled.

Each of these is one write into the session's row: the claims of the lanes look there (``ingest.queues``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingest.models import ScanSession, SessionFolder
from ingest.retrying import By
from ingest.roots import ScanTarget, scan, walk_nobody_makes
from ingest.session_progress import states_of
from library.models import AuditEvent, Photo
from photos_project.logging import get_logger

logger = get_logger(__name__)
Status = ScanSession.Status
#: Walks that wait or go on.
OPEN = (Status.QUEUED, Status.RUNNING)
#: Priorities a session can have; uploads come before all of them.
PRIORITIES = {
    priority.name.lower(): int(priority) for priority in Photo.Priority if priority != Photo.Priority.UPLOAD
}


class SessionRefused(Exception):  # noqa: N818 - an answer to a person
    """This cannot be done with the session as it is; says why."""


def start(*, targets: Sequence[ScanTarget], priority: int, by: By) -> list[ScanSession]:
    """A session for each folder, in the background: the workers walk it. ``tasks.wake_all`` wakes them.

    A folder for which such a walk waits or goes on gets no second one: the first is given back, with the new
    priority.
    """
    return [_start_one(target, priority, by) for target in targets]


@transaction.atomic
def _start_one(target: ScanTarget, priority: int, by: By) -> ScanSession:
    open_walks = ScanSession.objects.select_for_update(of=("self",)).filter(
        root=target.root, subfolder=target.subfolder, status__in=OPEN, background=True
    )
    session = open_walks.order_by("pk").first()
    if session is not None:
        session.priority, session.paused = priority, False
        session.save(update_fields=["priority", "paused"])
        return session
    session = ScanSession.objects.create(
        root=target.root,
        subfolder=target.subfolder,
        priority=priority,
        status=Status.QUEUED,
        background=True,
        started_by_id=by.actor_id,
    )
    SessionFolder.objects.create(session=session, path=target.subfolder)
    _note("start session", session, by, {}, {"folder": f"{target.root}/{session.folder}"})
    return session


def pause(*, session: ScanSession, by: By) -> ScanSession:
    """Leave its photos alone until it is resumed. What workers have in hand is still finished.

    Raises SessionRefused for a session that is cancelled.
    """
    return _change(session, by, "pause session", {"paused": True})


def resume(*, session: ScanSession, by: By) -> ScanSession:
    """Go on with it. Raises SessionRefused for a session that is cancelled."""
    return _change(session, by, "resume session", {"paused": False})


def set_priority(*, session: ScanSession, priority: int, by: By) -> ScanSession:
    """From the next claim on. Raises SessionRefused for a session that is cancelled."""
    return _change(session, by, "change priority of session", {"priority": priority})


def cancel(*, session: ScanSession, by: By) -> ScanSession:
    """End it. What it found stays known; what is unfinished keeps its state until a scan finds it again.

    Raises SessionRefused when it is cancelled already, or finished.
    """
    (state,) = states_of([session])
    if not state.open and state.phase != "cancelled":
        raise SessionRefused(f"Session {session.pk} is over: there is nothing to cancel.")
    return _change(session, by, "cancel session", {"status": Status.CANCELLED, "finished_at": timezone.now()})


def again(*, session: ScanSession, by: By) -> ScanSession:
    """A new session for the same folder: it takes up what a cancelled one left, and what is new."""
    return _start_one(ScanTarget(session.root, bytes(session.subfolder)), session.priority, by)


@transaction.atomic
def _change(session: ScanSession, by: By, action: str, fields: dict[str, Any]) -> ScanSession:
    locked = ScanSession.objects.select_for_update(of=("self",)).select_related("root").get(pk=session.pk)
    if locked.status == Status.CANCELLED:
        raise SessionRefused(f"Session {locked.pk} is cancelled. Start it again to take its photos up.")
    before = {name: getattr(locked, name) for name in fields}
    for name, value in fields.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(fields))
    _note(action, locked, by, before, fields)
    return locked


def _note(action: str, session: ScanSession, by: By, before: dict[str, Any], after: dict[str, Any]) -> None:
    AuditEvent.objects.create(
        actor_id=by.actor_id,
        action=action,
        object_type="ScanSession",
        object_id=session.pk,
        before={name: str(value) for name, value in before.items()},
        after={name: str(value) for name, value in after.items()} | by.as_data(),
    )
    logger.info("session.changed", session=session.pk, action=action, door=by.door)


def to_walk() -> QuerySet[ScanSession]:
    """Sessions whose folders are to be walked, the most urgent first."""
    queued = ScanSession.objects.filter(status=Status.QUEUED, paused=False)
    return queued.select_related("root").order_by("priority", "pk")


def find_lost_walks() -> None:
    """Queue again what a worker that is gone was walking: nobody holds the scan of its root."""
    lost = ScanSession.objects.filter(status=Status.RUNNING, background=True).select_related("root")
    for session in lost:
        with walk_nobody_makes(session.root) as free:
            if free:
                lost.filter(pk=session.pk).update(status=Status.QUEUED)
                logger.warning("session.walk_lost", session=session.pk)


def walk_all(*, should_stop: Callable[[], bool], meanwhile: Callable[[], object] = bool) -> list[ScanSession]:
    """Walk what is queued until nothing is, or ``should_stop`` says so; returns what was walked.

    ``meanwhile`` is called now and then. A root that somebody else scans is left to the next call.
    """
    walked: list[ScanSession] = []
    while not should_stop():
        tried = [session.pk for session in walked]
        session = next((found for found in to_walk().exclude(pk__in=tried) if _is_free(found)), None)
        if session is None:
            break
        target = ScanTarget(session.root, bytes(session.subfolder))
        scanned = scan(target, session=session, progress=lambda _: meanwhile(), should_stop=should_stop)
        walked.append(scanned)
        meanwhile()
    return walked


def _is_free(session: ScanSession) -> bool:
    with walk_nobody_makes(session.root) as free:
        return free
