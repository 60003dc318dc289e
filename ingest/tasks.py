"""The only door to django-q2. Tasks carry no photos: they wake a lane, and the ledger says what to do.

A task is a time slice. It ends after SLICE_SECONDS, or when the service is being stopped, and queues its
successor while work remains. A schedule wakes each lane once a minute: a slice may be lost with its worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.tasks import async_task

from ingest import clusters, counting, sessions
from ingest.broker import SLICE_GRACE_SECONDS
from ingest.heartbeat import beating
from ingest.queues import anything_waits
from ingest.states import LANES, Lane
from library.models import Photo, Root
from photos_project.logging import get_logger
from photos_project.supervisor import stop_requested

logger = get_logger(__name__)
STALE_CHECK_SECONDS = 600
NIGHTLY_MARGIN_SECONDS = 120
SLICE = "ingest.tasks.run_slice"
WALK = "ingest.tasks.walk_sessions"
_last_stale_check = 0.0
#: The newest single face of each space when this process grouped last: without a newer one nothing is to do.
_grouped_up_to: dict[int, int | None] = {}


def run_slice(lane: Lane) -> int:
    """Work on a lane for a while; returns the number of photos finished."""
    if apart := clusters.problem():
        logger.error("lane.idle", lane=lane, error=apart)
        return 0
    with beating():
        return _run_slice(lane)


def _run_slice(lane: Lane) -> int:
    # The lanes bring the picture libraries with them: only workers need those, not every command.
    from ingest.files_lane import FilesLane
    from ingest.runner import ModelsLane

    should_stop = _deadline(settings.SLICE_SECONDS)
    if lane == "files":
        finished = FilesLane(should_stop=should_stop).run()
        if finished:
            wake("models")
    else:
        finished = ModelsLane(should_stop=should_stop, check_stale=_stale_check_is_due()).run()
    # What others hold is no reason to come back: an idle worker would queue itself again and again.
    if not stop_requested() and anything_waits(_states(lane)):
        _enqueue(lane, room_for=_workers(lane) + 1)
    return finished


def wake(lane: Lane) -> int:
    """Queue slices of a lane until each of its workers has one, and a walk if a session waits for it.

    Returns how many slices were queued.
    """
    if lane == "files":
        sessions.find_lost_walks()
        if sessions.to_walk().exists():
            _enqueue("files", room_for=1, task=WALK)
    return _wake_slices(lane)


def _wake_slices(lane: Lane) -> int:
    queued = 0
    # Held photos, too: a worker that died over them frees them at the next slice.
    if lane == "files" and not Photo.objects.filter(state__in=Photo.FILES_LANE_STATES).exists():
        return 0
    while _enqueue(lane, room_for=_workers(lane)):
        queued += 1
    return queued


def walk_sessions() -> list[str]:
    """Walk the folders of the sessions that wait for it, one after the other; returns how each ended."""
    if apart := clusters.problem():
        logger.error("walk.idle", error=apart)
        return []
    # The broker ends a task that runs too long; the session goes on then in the next one.
    should_stop = _deadline(Conf.TIMEOUT - NIGHTLY_MARGIN_SECONDS)
    with beating():
        walked = sessions.walk_all(should_stop=should_stop, meanwhile=_while_walking)
    wake_all()
    return [f"{session.root}: {session.status}" for session in walked]


def _while_walking() -> None:
    """Other workers begin with what was found so far. The scan that goes on is ours: it is not looked at."""
    _wake_slices("files")
    _take_in_uploads()


def _take_in_uploads() -> None:
    """Somebody who waits in front of a browser does not wait for the end of a walk."""
    from ingest.files_lane import FilesLane

    unread = Photo.objects.filter(state__in=Photo.FILES_LANE_STATES, scan=0, priority=Photo.Priority.UPLOAD)
    if unread.filter(lease_until__isnull=True).exists():
        FilesLane(should_stop=lambda: stop_requested() or not unread.exists()).run()
        wake("models")


def wake_all(lanes: Sequence[Lane] = LANES) -> None:
    """Wake both lanes, or these."""
    for lane in lanes:
        wake(lane)


def forget_lost_slices(lanes: Sequence[Lane] = LANES) -> None:
    """Empty the queues of these lanes; after a start or a death what is queued may have lost its worker.

    A slice that runs all the same goes on; a second one beside it finds other photos, or none.
    """
    OrmQ.objects.filter(key__in=lanes).delete()


def ensure_schedules() -> None:
    """Make the schedules that wake the lanes."""
    for lane in LANES:
        Schedule.objects.update_or_create(
            name=f"wake {lane}",
            defaults={
                "func": "ingest.tasks.wake",
                "args": repr((lane,)),
                "schedule_type": Schedule.MINUTES,
                "minutes": 1,
                "repeats": -1,
                "cluster": lane,
            },
        )
    Schedule.objects.update_or_create(
        name="settle answers",
        defaults={
            "func": "ingest.tasks.settle_answers",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "cluster": "files",
        },
    )
    _ensure_nightly("nightly scan", "ingest.tasks.nightly_scan")
    _ensure_nightly("nightly people", "ingest.tasks.nightly_people")


def settle_answers() -> int:
    """Learn from answers about faces that no page learnt from, and group new unknown faces.

    Returns how many faces got a name because of it.
    """
    from people.actions.cluster import cluster_recent, newest_single
    from people.actions.nightly import face_spaces
    from people.actions.settle import left_unsettled, settle

    should_stop = _deadline(settings.SLICE_SECONDS)
    named = 0
    for event in left_unsettled().iterator():
        if should_stop():
            return named
        named += settle(event)
    for space in face_spaces():
        newest = newest_single(space)
        if newest != _grouped_up_to.get(space.pk):
            cluster_recent(space=space)
            _grouped_up_to[space.pk] = newest_single(space)
    return named


def nightly_people() -> dict[str, int]:
    """Learn thresholds, look at all open faces again, and group the unknown ones anew."""
    from people.actions.nightly import as_data, cluster_everything, recompute

    should_stop = _deadline(Conf.TIMEOUT - NIGHTLY_MARGIN_SECONDS)
    done = as_data(recompute(should_stop=should_stop))
    groups = cluster_everything(should_stop=should_stop)
    done["groups"] = sum(run.kept + run.new for run in groups.values())
    logger.info("people.nightly", **done)
    return done


def nightly_scan() -> list[str]:
    """Scan every root that is watched: what the watch missed is found then. Returns how each scan ended."""
    from ingest.roots import ScanTarget, scan
    from ingest.uploads import clean_up

    # The broker ends a task that runs too long; what is found until shortly before is kept.
    should_stop = _deadline(Conf.TIMEOUT - NIGHTLY_MARGIN_SECONDS)
    clean_up()
    counting.forget_old_paces()
    scans = [scan(ScanTarget(root), should_stop=should_stop) for root in Root.objects.filter(watch=True)]
    wake_all()
    return [f"{session.root}: {session.status}" for session in scans]


def _ensure_nightly(name: str, func: str) -> None:
    if settings.NIGHTLY_SCAN_HOUR < 0:
        Schedule.objects.filter(name=name).delete()
        return
    now = timezone.localtime()
    at = now.replace(hour=settings.NIGHTLY_SCAN_HOUR, minute=0, second=0, microsecond=0)
    Schedule.objects.update_or_create(
        name=name,
        defaults={
            "func": func,
            "schedule_type": Schedule.DAILY,
            "next_run": at if at > now else at + timedelta(days=1),
            "repeats": -1,
            "cluster": "files",
        },
    )


def _deadline(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end or stop_requested()


def _stale_check_is_due() -> bool:
    """Looking for stale steps reads the whole ledger: often enough is every ten minutes a process."""
    global _last_stale_check
    now = time.monotonic()
    if _last_stale_check and now - _last_stale_check < STALE_CHECK_SECONDS:
        return False
    _last_stale_check = now
    return True


def _states(lane: Lane) -> Sequence[Photo.State]:
    return Photo.FILES_LANE_STATES if lane == "files" else Photo.MODELS_LANE_STATES


def _workers(lane: Lane) -> int:
    """Of all machines; before a supervisor has told of any, those that this one starts."""
    return clusters.workers(lane) or int(settings.Q_CLUSTER["ALT_CLUSTERS"][lane]["workers"])


def _enqueue(lane: Lane, *, room_for: int, task: str = SLICE) -> bool:
    """Queue a slice (or a walk) unless ``room_for`` of them are waiting or running."""
    now = timezone.now()
    # The broker sets a taken row's lock to the moment of taking plus the retry time.
    taken_since = now + timedelta(seconds=Conf.RETRY - settings.SLICE_SECONDS - SLICE_GRACE_SECONDS)
    alive = OrmQ.objects.filter(Q(lock__lte=now) | Q(lock__gt=taken_since), key=lane)
    # The task that wakes the lane stands in the same queue while it runs: it is no slice.
    if sum(row.func() == task for row in alive) >= room_for:
        return False
    async_task(task, *((lane,) if task == SLICE else ()), cluster=lane)
    return True
