"""Starts the processes of an installation, watches them, restarts what dies, and leaves nothing behind.

Each child leads a process group (and session) of its own: a cluster of django-q2 whose master dies leaves its
workers, so what is stopped or restarted is always the whole group. Children get SIGTERM from the kernel when
the supervisor itself is killed (Linux), and what survived all the same is found by the next start through
``<run_dir>/<name>.json``, verified by start time and command line, and ended first.

The supervisor knows nothing of Django: it is given commands. It must run in the main thread: signals arrive
there, and the kernel takes the end of the thread that started a child for the end of its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from photos_project.logging import get_logger

log = get_logger(__name__)

PR_SET_PDEATHSIG = 1  # linux/prctl.h
WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
"""OpenMP threads that spin while waiting take processors from each other: 1.5 against 4.7 images a second."""

STOP_FILE_VARIABLE = "HEIRLOOM_STOP_FILE"

CRASHES_ALLOWED = 5
CRASH_WINDOW_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
SURVIVOR_SECONDS = 10.0
"""What an earlier supervisor has left is given so long to end by itself."""


class SupervisorError(RuntimeError):
    """A child crashes again and again; the message names it and its exit status."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep alive. ``environment`` is added to the supervisor's own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 20.0
    log_file: Path | None = None


@dataclass(slots=True)
class _Child:
    """A spec and what became of it."""

    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    crashes: deque[float] = field(default_factory=deque)
    restart_at: float | None = None


class Supervisor:
    """Keeps ``children`` running, from ``start`` to ``stop``; ``poll`` (or ``wait``) does the watching."""

    def __init__(self, children: Sequence[ChildSpec], *, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._children = [_Child(spec) for spec in children]
        self._marker = {STOP_FILE_VARIABLE: str(self.stop_file)}

    @property
    def stop_file(self) -> Path:
        """Exists while everything is being stopped; see ``stop_requested``."""
        return self.run_dir / "stopping"

    def start(self) -> None:
        """End the survivors of an earlier supervisor, then start every child in order."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.stop_file.unlink(missing_ok=True)
        end_survivors(self.run_dir)
        for child in self._children:
            self._spawn(child)

    def poll(self) -> None:
        """Look after the children once; call it about every second.

        Restarts the dead with a growing pause. Raises SupervisorError when one has died more than
        ``CRASHES_ALLOWED`` times within a minute; everything else still runs then, until ``stop``.
        """
        for child in self._children:
            if child.restart_at is not None:
                if time.monotonic() >= child.restart_at:
                    self._spawn(child)
            elif child.process is not None and child.process.poll() is not None:
                self._bury(child, child.process)

    def wait(self, stopping: Callable[[], bool], *, interval: float = 0.5) -> None:
        """Poll until ``stopping`` says so."""
        while not stopping():
            self.poll()
            time.sleep(interval)

    def restart(self, name: str, reason: str, *, patience: float | None = None) -> None:
        """End the child of that name with its whole group and start it anew; for one that lives but hangs.

        ``patience`` in seconds is the wait for a clean end, by default the child's ``stop_seconds``.
        """
        child = next(child for child in self._children if child.spec.name == name)
        log.warning("child.restarted", child=name, reason=reason)
        if child.process is not None:
            seconds = child.spec.stop_seconds if patience is None else patience
            _end_group(child.process.pid, seconds, leader=child.process)
        self._spawn(child)

    def stop(self) -> None:
        """End all children: SIGTERM to each, some patience, then SIGKILL to the whole group.

        They stop side by side: several that hang cost the patience of one.
        """
        self.stop_file.touch()
        stopping = list(reversed(self._children))
        _end_groups(
            (child.process.pid, child.spec.stop_seconds, child.process)
            for child in stopping
            if child.process is not None
        )
        for child in stopping:
            child.restart_at = None
            if child.process is not None:
                log.info("child.stopped", child=child.spec.name, status=child.process.returncode)
                child.process = None
            self._record(child.spec).unlink(missing_ok=True)

    def pids(self) -> dict[str, int]:
        """The process of every child that runs."""
        return {
            child.spec.name: child.process.pid
            for child in self._children
            if child.process is not None and child.process.poll() is None
        }

    def processes(self, name: str) -> list[psutil.Process]:
        """Everything that lives in the group of the child of that name."""
        pid = self.pids().get(name)
        return [] if pid is None else _members(pid)

    def _spawn(self, child: _Child) -> None:
        spec = child.spec
        child.restart_at = None
        with _output(spec.log_file) as output:
            child.process = subprocess.Popen(  # noqa: S603 - the commands are our own
                list(spec.command),
                env={**os.environ, **WORKER_ENVIRONMENT, **self._marker, **spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        self._remember(spec, child.process.pid)
        log.info("child.started", child=spec.name, pid=child.process.pid)

    def _bury(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        """A leader has died: end what is left of its group, and plan the restart."""
        status = process.returncode
        log.error("child.died", child=child.spec.name, pid=process.pid, status=status)
        _end_group(process.pid, child.spec.stop_seconds, leader=process)
        now = time.monotonic()
        child.crashes.append(now)
        while child.crashes and child.crashes[0] < now - CRASH_WINDOW_SECONDS:
            child.crashes.popleft()
        if len(child.crashes) > CRASHES_ALLOWED:
            where = f" Its log: {child.spec.log_file}" if child.spec.log_file else ""
            raise SupervisorError(
                f"The process {child.spec.name!r} died {len(child.crashes)} times within a minute "
                f"(last status {status}): {' '.join(child.spec.command)}.{where}"
            )
        child.restart_at = now + min(
            FIRST_PAUSE_SECONDS * 2 ** (len(child.crashes) - 1), LONGEST_PAUSE_SECONDS
        )

    def _record(self, spec: ChildSpec) -> Path:
        return self.run_dir / f"{spec.name}.json"

    def _remember(self, spec: ChildSpec, pid: int) -> None:
        """Note who was started, so that the next supervisor can tell it from a stranger with the same pid."""
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(pid).create_time()
            content = {"pid": pid, "started": started, "command": list(spec.command)}
            self._record(spec).write_text(json.dumps(content), encoding="utf-8")


def end_survivors(run_dir: Path) -> list[int]:
    """End the process groups an earlier supervisor has left, side by side; returns their leaders."""
    survivors: list[int] = []
    for record in sorted(run_dir.glob("*.json")):
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
            pid, started = int(content["pid"]), float(content["started"])
            command = [str(part) for part in content["command"]]
        except (ValueError, KeyError, TypeError):  # cut off by a crash: nothing can be verified
            record.unlink()
            continue
        if _is_ours(pid, started, command):
            log.warning("child.survivor", child=record.stem, pid=pid)
            survivors.append(pid)
        else:
            record.unlink()
    _end_groups((pid, SURVIVOR_SECONDS, None) for pid in survivors)
    for record in run_dir.glob("*.json"):
        record.unlink()
    return survivors


def stop_requested() -> bool:
    """Asked by long work in a child, between two pieces: is the installation being stopped?

    django-q2 lets a running task finish before it stops, and does not tell it. Always False in a process that
    no supervisor started.
    """
    file = os.environ.get(STOP_FILE_VARIABLE)
    return file is not None and Path(file).exists()


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a question: ``with stop_signals() as stopping: … stopping()``."""
    received: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        received.append(signum)

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def _output(log_file: Path | None) -> Iterator[int | None]:
    """Where a child writes: its log file, or wherever the supervisor writes."""
    if log_file is None:
        yield None
        return
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as stream:
        yield stream.fileno()


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Between fork and exec: ask the kernel for SIGTERM when the parent dies, even by SIGKILL. Linux only."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


def _is_ours(pid: int, started: float, command: list[str]) -> bool:
    """Whether the recorded process or a member of its group still lives. Pids are reused, so it is verified.

    The command's first word is left out, as the kernel replaces a script by its interpreter.
    """

    def matches(process: psutil.Process) -> bool:
        try:
            arguments = process.cmdline()
            return process.create_time() > started - 1 and arguments[-len(command) :][1:] == command[1:]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return any(matches(process) for process in _members(pid))


def _members(group: int) -> list[psutil.Process]:
    """The live processes of a group; the workers of gunicorn and django-q2 stay in that of their leader."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def _end_groups(groups: Iterable[tuple[int, float, subprocess.Popen[bytes] | None]]) -> None:
    """As ``_end_group`` for each group, patience and leader, side by side."""
    ending = list(groups)
    for group, _, leader in ending:
        if _lives(group, leader):
            with suppress(ProcessLookupError):
                os.kill(group, signal.SIGTERM)
    asked = time.monotonic()
    for group, patience, leader in ending:
        _end_group(group, max(patience - (time.monotonic() - asked), 0.0), leader=leader)


def _end_group(group: int, patience: float, *, leader: subprocess.Popen[bytes] | None) -> None:
    """SIGTERM to the leader, which knows how to end its own; after ``patience`` seconds SIGKILL to everyone.

    When the leader is dead already nobody tidies up for the others, so they are killed at once.
    """
    if _lives(group, leader):
        with suppress(ProcessLookupError):
            os.kill(group, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and _lives(group, leader):
            time.sleep(0.05)
    deadline = time.monotonic() + 5
    while _members(group) and time.monotonic() < deadline:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        time.sleep(0.02)
    if leader is not None:
        leader.wait()


def _lives(pid: int, process: subprocess.Popen[bytes] | None) -> bool:
    """Whether the leader still runs; one of our own is reaped by asking."""
    if process is not None:
        return process.poll() is None
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
