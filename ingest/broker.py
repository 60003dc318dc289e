"""The queue as one cluster of django-q2 sees it; named by ``Q_CLUSTER["broker_class"]``.

Two things that django-q2's own broker for the database leaves to chance:

- A cluster takes no more tasks than it has workers. It would fill a queue of its own otherwise, and keep
  tasks for a minute that the idle workers of another machine could run at once.
- Every few seconds a task of no consequence goes through the cluster, not through the database: whoever runs
  it gives the cluster's sign of life. So an idle cluster shows that its workers take work.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.humanhash import uuid
from django_q.signing import SignedPackage

from ingest import heartbeat

#: A slice that was taken longer ago than its length and this has lost its worker.
SLICE_GRACE_SECONDS = 90


class LaneBroker(ORM):  # type: ignore[misc]
    """One object in the cluster's pusher takes tasks; others, elsewhere, only put them into the queue."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self._taken: dict[int, float] = {}
        self._beat_at = 0.0

    def dequeue(self) -> Any:
        """A list of (row, package), or None after a short sleep."""
        # Before the database is asked: the sign of life must not depend on it.
        if heartbeat.is_watched() and time.monotonic() - self._beat_at >= heartbeat.EVERY_SECONDS:
            self._beat_at = time.monotonic()
            return [(None, _beat())]
        if self._free() <= 0:
            time.sleep(Conf.POLL)
            return None
        taken = super().dequeue()
        now = time.monotonic()
        self._taken |= {pk: now for pk, _ in taken or []}
        return taken

    def _free(self) -> int:
        """How many of the cluster's workers have nothing to do. A row is deleted when its task has ended."""
        oldest = time.monotonic() - settings.SLICE_SECONDS - SLICE_GRACE_SECONDS
        young = [pk for pk, at in self._taken.items() if at > oldest]
        if young:
            left = set(self.get_connection().filter(pk__in=young).values_list("pk", flat=True))
            self._taken = {pk: at for pk, at in self._taken.items() if pk in left}
        return int(Conf.WORKERS) - len(self._taken)


def _beat() -> str:
    name, tag = uuid()
    task = {"id": tag, "name": name, "func": "ingest.heartbeat.beat", "args": (), "kwargs": {}}
    package: str = SignedPackage.dumps(task | {"started": timezone.now(), "ack_failure": True})
    return package
