"""The processes of an installation on one machine: the web server, a worker cluster for each lane, the
watch.
"""

from __future__ import annotations

import fcntl
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db.models import Max

from ingest.progress import Progress
from ingest.states import LANES
from ingest.tasks import forget_lost_slices, wake_all
from library.engines import engine_config
from library.models import Photo
from photos_project.supervisor import ChildSpec, Supervisor, end_survivors
from vision.devices import worker_environment

WSGI = "photos_project.wsgi:application"
#: A log larger than this is put aside at the next start; one older log is kept.
LARGEST_LOG_BYTES = 20_000_000


def children() -> list[ChildSpec]:
    """What is started, in order."""
    logs = Path(settings.DATA_DIR) / "logs"
    manage = str(settings.BASE_DIR / "manage.py")
    gunicorn = shutil.which("gunicorn", path=str(Path(sys.executable).parent)) or "gunicorn"
    config = str(settings.BASE_DIR / "gunicorn.conf.py")
    web = ChildSpec("web", (gunicorn, "-c", config, WSGI), log_file=logs / "web.log")
    clusters = [
        ChildSpec(
            lane,
            (sys.executable, manage, "qcluster", "--name", lane),
            environment={**worker_environment(engine_config()), "Q_CLUSTER_NAME": lane},
            stop_seconds=30.0,
            log_file=logs / f"{lane}.log",
        )
        for lane in LANES
    ]
    watch = ChildSpec("watch", (sys.executable, manage, "watch_library"), log_file=logs / "watch.log")
    return [web, *clusters, *([watch] if settings.WATCH else [])]


class StallWatch:
    """Restarts the workers when photos wait and nothing moves.

    A cluster of django-q2 whose idle workers were killed hangs for ever in a lock of its queue: to its
    supervisor it looks alive. Workers that live write something (a state, a longer lease) at least every
    quarter of LEASE_SECONDS.
    """

    def __init__(self, supervisor: Supervisor, *, patience: float | None = None) -> None:
        self._supervisor = supervisor
        self._patience = settings.LEASE_SECONDS / 2 if patience is None else patience
        self._seen: object = None
        self._since = 0.0

    def look(self, now: Progress) -> bool:
        """Compare with the last look; returns whether the workers were restarted."""
        lease = Photo.objects.filter(lease_until__isnull=False).aggregate(Max("lease_until"))
        seen = (now.by_state, lease) if now.running else None
        if seen != self._seen or seen is None:
            self._seen, self._since = seen, time.monotonic()
            return False
        if time.monotonic() - self._since < self._patience:
            return False
        forget_lost_slices()
        for lane in LANES:
            self._supervisor.restart(lane, reason="photos wait, and nothing moves")
        wake_all()
        self._seen = None
        return True


@contextmanager
def supervised() -> Iterator[Supervisor]:
    """A supervisor of these processes, started and in the end stopped.

    Raises CommandError when another one serves this data folder: each would end the other's processes.
    """
    run_dir = Path(settings.DATA_DIR) / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "serving.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"Heirloom is running from {settings.DATA_DIR} already. Stop it first, or start a second "
                "library with a DATA_DIR and a PORT of its own."
            ) from error
        end_survivors(run_dir)
        _check_port(settings.HOST, settings.PORT)
        forget_lost_slices()
        specs = children()
        for spec in specs:
            _put_aside(spec.log_file)
        supervisor = Supervisor(specs, run_dir=run_dir)
        supervisor.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()


def _check_port(host: str, port: int) -> None:
    """Say at once what gunicorn would say in its log file again and again."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"HOST={host} PORT={port} cannot be served: {error.strerror}. "
                f"Choose another port, for example  PORT={port + 1} make run PHOTOS=…"
            ) from error


def _put_aside(log: Path | None) -> None:
    if log is not None and log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
