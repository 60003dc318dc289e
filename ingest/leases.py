"""Who holds which photo. A photo is worked on by the one worker that holds its lease.

A lease is taken with ``SELECT … FOR UPDATE SKIP LOCKED``, so that workers never wait for each other. It ends
when the photo is finished, when the worker gives it back, when the worker is found dead, or when it runs out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import TracebackType

import psutil
from django.conf import settings
from django.db import Error as DatabaseProblem
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from ingest import losses
from ingest.queues import queues
from library.models import Photo
from photos_project.logging import get_logger

logger = get_logger(__name__)

#: A photo whose worker died this often while holding it is set aside: it is the likely cause.
MOST_LOST_LEASES = 3


@dataclass(frozen=True)
class Worker:
    """This process, in a form that another process can check for life."""

    host: str
    pid: int
    started: int

    @classmethod
    def this_process(cls) -> Worker:
        """The calling process."""
        return cls(settings.MACHINE_NAME, os.getpid(), int(psutil.Process().create_time()))

    @cached_property
    def name(self) -> str:
        """As written into ``Photo.leased_by``."""
        return f"{self.host}:{self.pid}:{self.started}"


def claim(worker: Worker, states: Sequence[str], most: int) -> list[int]:
    """Take up to ``most`` free photos in these states, in the order of their queues, and return their ids.

    Photos of paused and cancelled sessions are left alone.

    A photo that outlived a worker is taken alone, so that one that kills its worker takes no other with it.
    """
    return _claim(worker, states, most, suspects=False) or _claim(worker, states, 1, suspects=True)


def _claim(worker: Worker, states: Sequence[str], most: int, *, suspects: bool) -> list[int]:
    ids: list[int] = []
    with transaction.atomic():
        for queue in queues(states, suspects=suspects):
            photos = queue.photos(states, suspects=suspects)
            locked = photos.select_for_update(skip_locked=True, of=("self",))
            ids += locked.values_list("pk", flat=True)[: most - len(ids)]
            if len(ids) == most:
                break
        if ids:
            until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
            Photo.objects.filter(pk__in=ids).update(lease_until=until, leased_by=worker.name)
    return ids


def release(worker: Worker, photo_ids: Sequence[int]) -> None:
    """Give photos back untouched."""
    Photo.objects.filter(pk__in=photo_ids, leased_by=worker.name).update(lease_until=None, leased_by="")


class Hands:
    """What a lane has claimed. Used as a context, it gives everything back at the end, also after an error.

    After an error the photos that were taken up count as lost once more, as if the worker had died over them:
    a photo that breaks the lane again and again is set aside, and its neighbours go on. An outage (of the
    database, of a disk) is no photo's fault and does not count.
    """

    _OUTAGES = (OperationalError, InterfaceError, OSError)

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._claimed: set[int] = set()
        self._taken_up: set[int] = set()
        self._suspect = False
        self._renewed_at = time.monotonic()

    def keep(self) -> None:
        """Renew the leases once a part of their time is over; to be called between pieces of work."""
        now = time.monotonic()
        if now - self._renewed_at < settings.LEASE_SECONDS / 4:
            return
        self._renewed_at = now
        until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
        Photo.objects.filter(pk__in=self._claimed, leased_by=self._worker.name).update(lease_until=until)

    def claim(self, states: Sequence[str], most: int) -> list[int]:
        """See ``claim``. With something in hand already this is a claim ahead, for fresh photos only.

        A photo that outlived a worker is held with nothing beside it: if the worker died again, nobody could
        tell which of the two it died over, and the good one would be set aside with the bad.
        """
        if self._suspect:
            return []
        ids = _claim(self._worker, states, most, suspects=False)
        if not ids and not self._claimed:
            ids = _claim(self._worker, states, 1, suspects=True)
            self._suspect = bool(ids)
        self._claimed.update(ids)
        return ids

    def put_down(self) -> None:
        """Done with what was taken up: whatever of it is still held is given back."""
        release(self._worker, sorted(self._taken_up))
        self._claimed -= self._taken_up
        self._taken_up = set()
        self._suspect = False

    def take_up(self, photo_ids: Sequence[int]) -> None:
        """These are worked on now; those before are done with."""
        self._claimed -= self._taken_up - set(photo_ids)
        self._taken_up = set(photo_ids)

    def __enter__(self) -> Hands:
        # What an outage of the database kept this very process from giving back: nobody else may know that
        # it is not being worked on, since the process lives. No photo's fault, so it does not count as lost.
        left = Photo.objects.filter(leased_by=self._worker.name, lease_until__isnull=False)
        left.update(lease_until=None, leased_by="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lost: set[int] = set()
        why = ""
        if isinstance(error, Exception) and not isinstance(error, self._OUTAGES):
            lost = self._taken_up
            why = f"{type(error).__name__}: {error}"
        with suppress(*((DatabaseProblem,) if error else ())):
            _lose(self._worker, lost, why)
            release(self._worker, sorted(self._claimed - lost))
        self._claimed.clear()
        self._taken_up = set()
        self._suspect = False


def _lose(worker: Worker, photo_ids: Collection[int], why: str) -> None:
    held = Photo.objects.filter(pk__in=photo_ids, leased_by=worker.name)
    if losses.lose(held, broke_off=why):
        _set_aside()


def recover() -> int:
    """Free the photos of dead workers and of leases that ran out; set aside those that keep killing.

    A worker on this machine is dead when its process is; one on another machine when its lease has run out.
    Returns the number of photos freed.
    """
    held = Photo.objects.filter(lease_until__isnull=False)
    dead = [name for name in held.values_list("leased_by", flat=True).distinct() if is_dead(name)]
    lost = Q(leased_by__in=dead) | Q(lease_until__lt=timezone.now())
    freed = losses.lose(held.filter(lost), dead=dead)
    if freed:
        logger.warning("leases.recovered", photos=freed, dead_workers=dead)
        _set_aside()
    return freed


def _set_aside() -> None:
    poisoned = Photo.objects.filter(lost_leases__gte=MOST_LOST_LEASES).exclude(state__in=Photo.FINAL_STATES)
    for pk, state in poisoned.values_list("pk", "state"):
        message = (
            f"The worker died or broke off {MOST_LOST_LEASES} times during {state}; the photo was set aside. "
            "Its story is on the page Failures; retry it there once the cause is known."
        )
        Photo.objects.filter(pk=pk, state=state).update(
            state=Photo.State.FAILED, error_message=message, scan=0
        )
        logger.error("photo.set_aside", photo=pk, state=state)


def is_dead(name: str) -> bool:
    """Whether the worker of this name ran on this machine (MACHINE_NAME) and its process is gone."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != settings.MACHINE_NAME or not rest.isdigit() or not started.isdigit():
        return False
    try:
        process = psutil.Process(int(rest))
        # Create times are rounded differently by different readers: a second apart is the same process.
        return abs(process.create_time() - int(started)) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
