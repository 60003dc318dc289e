"""Watches the worker clusters of this machine by their signs of life, and starts anew what is silent.

A cluster of django-q2 whose idle worker was killed hangs for ever in a lock of its queue, and looks alive to
whoever watches its processes. So what counts is a sign that a worker took a task (``ingest.heartbeat``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Max
from django.utils import timezone

from ingest import clusters
from ingest.models import WorkerCluster
from ingest.progress import Progress, progress
from ingest.states import LANES, Lane
from ingest.tasks import forget_lost_slices, wake_all
from library.models import Photo
from photos_project.logging import get_logger
from photos_project.supervisor import Supervisor

log = get_logger(__name__)

TELL_SECONDS = 3.0
STALL_LOOK_SECONDS = 30.0
#: After a process of a cluster was lost a sign should come soon: its death may have left a lock behind.
SUSPICIOUS_SECONDS = 15.0
#: Nobody listens in a silent cluster, so the wait for a clean end is short.
END_SECONDS = 5.0
#: Master, sentinel, monitor and pusher stand beside the workers of a cluster.
HELPERS = 4
MOST_DOUBLINGS = 4
#: A processor busy for this share of the silence is at work (a library that lets no thread run), not dead.
BUSY_SHARE = 0.2
_AWAY = (OperationalError, InterfaceError)


def beat_file(run_dir: Path, lane: str) -> Path:
    """Where the workers of a lane give their sign of life."""
    return run_dir / f"{lane}.beat"


class ClusterPulse:
    """What is seen of one cluster. ``reason`` says why it has to be started anew, or nothing."""

    def __init__(self, lane: Lane, file: Path) -> None:
        self.lane = lane
        self.workers = int(settings.Q_CLUSTER["ALT_CLUSTERS"][lane]["workers"])
        self.beat_at: datetime | None = None
        self.restarts = 0
        self._file = file
        self._mtime = 0
        self._doublings = 0
        self._pids: set[int] = set()
        self._leader = 0
        self._lost_process = False
        self._lost_at: float | None = None
        self._fresh_start()

    def _fresh_start(self) -> None:
        self._sign_at = time.monotonic()
        self._complete_at = time.monotonic()
        self._processor_seconds = 0.0
        self._lost_at = None

    def restarted(self) -> None:
        """It was started anew because of what was seen; the next sign is waited for twice as long."""
        self.restarts += 1
        self._doublings = min(self._doublings + 1, MOST_DOUBLINGS)
        self._fresh_start()

    def look(self, leader: int, processes: Sequence[psutil.Process]) -> str:
        """``leader`` is the process the supervisor started, ``processes`` are all of its group."""
        now = time.monotonic()
        if leader != self._leader:
            self._leader, self._pids = leader, set()
            self._fresh_start()
        pids = {process.pid for process in processes}
        if len(pids) >= self.workers + HELPERS:
            self._complete_at = now
        if self._has_beaten():
            self._sign_at, self.beat_at, self._doublings, self._lost_at = now, timezone.now(), 0, None
            self._processor_seconds = _processor_seconds(processes)
        if self._pids - pids:  # the sign may have been older than this loss
            self._lost_process, self._lost_at = True, now
        self._pids = pids
        return self._reason(now, processes)

    def took_note(self) -> bool:
        """Whether a process was lost since the last look."""
        lost, self._lost_process = self._lost_process, False
        return lost

    def _reason(self, now: float, processes: Sequence[psutil.Process]) -> str:
        patience = settings.HEARTBEAT_SECONDS * 2**self._doublings
        silent = now - self._sign_at
        shocked = self._lost_at is not None and now - self._lost_at > SUSPICIOUS_SECONDS
        if silent > patience or (shocked and not self._doublings):
            busy = _processor_seconds(processes) - self._processor_seconds
            if busy < BUSY_SHARE * silent or silent > 10 * patience:
                return f"no sign of life for {silent:.0f} s"
        if now - self._complete_at > patience:
            return f"{len(self._pids)} of {self.workers + HELPERS} processes for {patience:.0f} s"
        return ""

    def _has_beaten(self) -> bool:
        """Its time is compared with itself only: the file may lie on a machine with another clock."""
        try:
            mtime = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        changed = mtime != self._mtime
        self._mtime = mtime
        return changed


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


class StallWatch:
    """Restarts the workers when photos wait and nothing moves, although there are signs of life.

    Workers that work write something (a state, a longer lease) at least every quarter of LEASE_SECONDS.
    """

    def __init__(
        self, supervisor: Supervisor, *, lanes: Sequence[Lane] = LANES, patience: float | None = None
    ) -> None:
        self._supervisor = supervisor
        self._lanes = lanes
        self._states = {
            state.value
            for lane in lanes
            for state in (Photo.FILES_LANE_STATES if lane == "files" else Photo.MODELS_LANE_STATES)
        }
        self._patience = settings.LEASE_SECONDS / 2 if patience is None else patience
        self._seen: object = None
        self._since = 0.0

    def look(self, now: Progress) -> bool:
        """Compare with the last look; returns whether the workers were restarted."""
        waiting = {state: count for state, count in now.by_state.items() if state in self._states}
        lease = Photo.objects.filter(lease_until__isnull=False).aggregate(Max("lease_until"))
        seen = (waiting, lease) if waiting else None
        if seen != self._seen or seen is None:
            self._seen, self._since = seen, time.monotonic()
            return False
        if time.monotonic() - self._since < self._patience:
            return False
        forget_lost_slices(self._lanes)
        for lane in self._lanes:
            self._supervisor.restart(lane, reason="photos wait, and nothing moves")
        wake_all(self._lanes)
        self._seen = None
        return True


class Watch:
    """Looks after the processes of a supervisor: dead ones, silent ones, and workers that get nowhere.

    ``look`` is called about twice a second. It outlives the database: while that is away, it is asked for
    again and again (which starts an embedded one), and afterwards the lanes are woken.
    """

    def __init__(self, supervisor: Supervisor, lanes: Sequence[Lane]) -> None:
        self._supervisor = supervisor
        self._lanes = lanes
        self._pulses = [ClusterPulse(lane, beat_file(supervisor.run_dir, lane)) for lane in lanes]
        self._stall = StallWatch(supervisor, lanes=lanes)
        self._started_at = datetime.now(UTC)
        self._tell_at = 0.0
        self._stall_at = time.monotonic() + STALL_LOOK_SECONDS
        self._away = False
        self._problem = ""

    def announce(self) -> None:
        """Tell the other machines of this one, before its workers start. Raises when the database is away."""
        self._tell()

    def look(self) -> None:
        """Look once. Raises SupervisorError when a process dies again and again."""
        self._supervisor.poll()
        now = time.monotonic()
        if now < self._tell_at:
            return
        self._tell_at = now + TELL_SECONDS
        for pulse in self._pulses:
            self._feel(pulse)
        self.with_database(self._tell)
        if now >= self._stall_at and not self._away:
            self._stall_at = now + STALL_LOOK_SECONDS
            self.with_database(lambda: self._stall.look(progress()))

    def with_database(self, work: Callable[[], object]) -> bool:
        """Do something that needs the database; False, and a line in the log, when it is away."""
        try:
            if self._away:
                # What was running when it went away has not been acknowledged, and counts as running.
                forget_lost_slices(self._lanes)
                wake_all(self._lanes)
                log.info("database.back")
                self._away = False
            work()
        except _AWAY as error:
            if not self._away:
                log.warning("database.away", error=str(error).strip())
            self._away = True
            connection.close()
            return False
        return True

    def withdraw(self) -> None:
        """The workers were stopped on purpose: nobody need miss them."""
        rows = WorkerCluster.objects.filter(machine=settings.MACHINE_NAME, lane__in=self._lanes)
        with suppress(*_AWAY):
            rows.delete()

    def _feel(self, pulse: ClusterPulse) -> None:
        leader = self._supervisor.pids().get(pulse.lane)
        if leader is None:  # dead; the supervisor starts it again
            return
        reason = pulse.look(leader, self._supervisor.processes(pulse.lane))
        if reason:
            self._supervisor.restart(pulse.lane, reason, patience=END_SECONDS)
            pulse.restarted()
            self._wake(pulse.lane)
        elif pulse.took_note():
            self._wake(pulse.lane)

    def _wake(self, lane: Lane) -> None:
        """Slices whose worker is gone count as running for minutes."""

        def again() -> None:
            forget_lost_slices((lane,))
            wake_all((lane,))

        self.with_database(again)

    def _tell(self) -> None:
        problem = clusters.leave_mark() or clusters.problem()
        if problem != self._problem and problem:
            log.error("machine.idle", error=problem)
        self._problem = problem
        for pulse in self._pulses:
            WorkerCluster.objects.update_or_create(
                machine=settings.MACHINE_NAME,
                lane=pulse.lane,
                defaults={
                    "workers": pulse.workers,
                    "beat_at": pulse.beat_at,
                    "restarts": pulse.restarts,
                    "message": problem,
                    "started_at": self._started_at,
                    "at": timezone.now(),
                },
            )
