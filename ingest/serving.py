"""The processes of an installation on one machine: the web server, a worker cluster for each lane, the
watch.
"""

from __future__ import annotations

import fcntl
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from ingest.heartbeat import FILE_VARIABLE, STOP_SECONDS
from ingest.states import LANES, Lane
from ingest.supervision import Watch, beat_file
from ingest.tasks import forget_lost_slices
from library.engines import engine_config
from photos_project.supervisor import ChildSpec, Supervisor, end_survivors
from vision.devices import worker_environment

WSGI = "photos_project.wsgi:application"
#: A log larger than this is put aside at the next start; one older log is kept.
LARGEST_LOG_BYTES = 20_000_000


def web_server() -> ChildSpec:
    """gunicorn."""
    gunicorn = shutil.which("gunicorn", path=str(Path(sys.executable).parent)) or "gunicorn"
    config = str(settings.BASE_DIR / "gunicorn.conf.py")
    return ChildSpec("web", (gunicorn, "-c", config, WSGI), log_file=_logs() / "web.log")


def worker_clusters(lanes: Sequence[Lane], run_dir: Path, *, log_files: bool) -> list[ChildSpec]:
    """A cluster of django-q2 for each lane. Without log files they write where their supervisor writes."""
    manage = str(settings.BASE_DIR / "manage.py")
    return [
        ChildSpec(
            lane,
            (sys.executable, manage, "qcluster", "--name", lane),
            environment={
                **worker_environment(engine_config()),
                "Q_CLUSTER_NAME": lane,
                FILE_VARIABLE: str(beat_file(run_dir, lane)),
            },
            stop_seconds=STOP_SECONDS,
            log_file=_logs() / f"{lane}.log" if log_files else None,
        )
        for lane in lanes
    ]


def folder_watch() -> list[ChildSpec]:
    """What notices changes in the folders of originals; none when WATCH is off."""
    manage = str(settings.BASE_DIR / "manage.py")
    command = (sys.executable, manage, "watch_library")
    return [ChildSpec("watch", command, log_file=_logs() / "watch.log")] if settings.WATCH else []


def _logs() -> Path:
    return Path(settings.DATA_DIR) / "logs"


@contextmanager
def serving() -> Iterator[Watch]:
    """The web server both lanes and the watch over the folders, started, watched, and in the end stopped.

    Raises CommandError when another one serves this data folder: each would end the other's processes.
    """
    run_dir = _run_folder()
    taken = (
        f"Heirloom is running from {settings.DATA_DIR} already. Stop it first, or start a second library "
        "with a DATA_DIR and a PORT of its own."
    )
    with _only_one(run_dir / "serving.lock", taken), _lanes_locked(run_dir, LANES):
        end_survivors(run_dir)
        _check_port(settings.HOST, settings.PORT)
        specs = [web_server(), *worker_clusters(LANES, run_dir, log_files=True), *folder_watch()]
        for spec in specs:
            _put_aside(spec.log_file)
        with _watched(Supervisor(specs, run_dir=run_dir), LANES) as watch:
            yield watch


@contextmanager
def working(lanes: Sequence[Lane]) -> Iterator[Watch]:
    """The workers of these lanes alone. Raises CommandError when they run from this data folder already.

    Containers and machines may share a data folder: what is about processes lies in a folder of the machine.
    """
    shared = _run_folder()
    run_dir = shared / "-".join((settings.MACHINE_NAME, *lanes))
    with _lanes_locked(shared, lanes):
        specs = worker_clusters(lanes, run_dir, log_files=False)
        with _watched(Supervisor(specs, run_dir=run_dir), lanes) as watch:
            yield watch
        shutil.rmtree(run_dir)


@contextmanager
def _watched(supervisor: Supervisor, lanes: Sequence[Lane]) -> Iterator[Watch]:
    watch = Watch(supervisor, lanes)
    forget_lost_slices(lanes)
    watch.announce()
    try:
        supervisor.start()
        yield watch
    finally:
        supervisor.stop()
        watch.withdraw()


def _run_folder() -> Path:
    run_dir = Path(settings.DATA_DIR) / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    return run_dir


@contextmanager
def _lanes_locked(run_dir: Path, lanes: Sequence[Lane]) -> Iterator[None]:
    with ExitStack() as stack:
        for lane in lanes:
            message = (
                f"The workers of the lane {lane!r} run on {settings.MACHINE_NAME} from {settings.DATA_DIR} "
                "already (quickstart or supervise). More of them: set FILES_WORKERS, or add a machine."
            )
            stack.enter_context(_only_one(run_dir / f"{settings.MACHINE_NAME}-{lane}.lock", message))
        yield


@contextmanager
def _only_one(file: Path, message: str) -> Iterator[None]:
    """Hold this file's lock; it ends with the process, however that ends."""
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(message) from error
        yield


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
