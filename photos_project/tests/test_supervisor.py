"""The supervisor, with small real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from photos_project import supervisor
from photos_project.supervisor import ChildSpec, Supervisor, SupervisorError

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
# A leader with a worker, as a cluster has; the worker ignores SIGTERM and tells its pid.
FAMILY = """
import os, pathlib, signal, sys, time
worker = os.fork()
if worker == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*children: ChildSpec) -> Supervisor:
        started.append(Supervisor(children, run_dir=tmp_path / "run"))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def family(tmp_path: Path) -> ChildSpec:
    return ChildSpec("family", (sys.executable, "-c", FAMILY, str(tmp_path / "worker")), stop_seconds=0.3)


def worker_of(tmp_path: Path) -> int:
    until(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text())
    return int((tmp_path / "worker").read_text())


def test_children_run_in_groups_of_their_own_with_the_worker_environment(supervise, tmp_path: Path) -> None:
    show = "import os; print(os.getpgrp() == os.getpid(), os.environ['OMP_WAIT_POLICY'], os.environ['LANE'])"
    command = (sys.executable, "-u", "-c", f"{show}; import time; time.sleep(600)")

    supervise(ChildSpec("one", command, {"LANE": "files"}, log_file=tmp_path / "logs" / "one.log"))

    until(lambda: (tmp_path / "logs" / "one.log").read_text())
    assert (tmp_path / "logs" / "one.log").read_text() == "True PASSIVE files\n"


def test_a_dead_child_is_started_again(supervise) -> None:
    running = supervise(ChildSpec("one", SLEEP), ChildSpec("two", SLEEP))
    before = running.pids()

    os.kill(before["one"], signal.SIGKILL)
    until(lambda: running.poll() or running.pids().get("one") not in (None, before["one"]))

    assert running.pids()["two"] == before["two"]


def test_a_dead_leader_takes_its_workers_along(supervise, tmp_path: Path) -> None:
    running = supervise(family(tmp_path))
    worker = worker_of(tmp_path)

    os.kill(running.pids()["family"], signal.SIGKILL)
    until(lambda: running.poll() or not alive(worker))


def test_a_child_that_keeps_dying_is_given_up_loudly(supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.0)
    running = supervise(ChildSpec("broken", (sys.executable, "-S", "-c", "raise SystemExit(3)")))

    with pytest.raises(SupervisorError, match=r"'broken' died 6 times within a minute \(last status 3\)"):
        until(running.poll)


def test_stop_leaves_nobody_even_who_ignores_it(supervise, tmp_path: Path) -> None:
    running = supervise(ChildSpec("one", SLEEP), family(tmp_path))
    everyone = [*running.pids().values(), worker_of(tmp_path)]

    running.stop()

    assert not any(alive(pid) for pid in everyone)
    assert list((tmp_path / "run").glob("*.json")) == []


def test_restart_ends_the_whole_group(supervise, tmp_path: Path) -> None:
    running = supervise(family(tmp_path))
    leader, worker = running.pids()["family"], worker_of(tmp_path)

    running.restart("family", "it hangs")

    assert not alive(leader)
    assert not alive(worker)
    assert running.pids()["family"] != leader


def test_long_work_can_ask_whether_everything_stops(
    supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not supervisor.stop_requested()

    running = supervise()
    monkeypatch.setenv(supervisor.STOP_FILE_VARIABLE, str(running.stop_file))
    assert not supervisor.stop_requested()
    running.stop()
    assert supervisor.stop_requested()


SUPERVISE = """
import sys, time
from pathlib import Path
from photos_project.supervisor import ChildSpec, Supervisor, stop_signals
one = Supervisor([ChildSpec("family", (sys.executable, "-c", sys.argv[2], sys.argv[3]), stop_seconds=0.3)],
                 run_dir=Path(sys.argv[1]))
with stop_signals() as stopping:
    one.start()
    try:
        one.wait(stopping, interval=0.05)
    finally:
        one.stop()
"""


@pytest.fixture
def separate_supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", SUPERVISE, str(tmp_path / "run"), FAMILY, str(tmp_path / "worker")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        yield process
        if process.poll() is None:
            process.terminate()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_everything_cleanly(separate_supervisor, tmp_path: Path, signum: int) -> None:
    worker = worker_of(tmp_path)

    separate_supervisor.send_signal(signum)

    assert separate_supervisor.wait(timeout=10) == 0
    assert not alive(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children of a parent's death on Linux")
def test_nobody_outlives_a_killed_supervisor_for_long(separate_supervisor, tmp_path: Path) -> None:
    worker = worker_of(tmp_path)
    leader = json.loads((tmp_path / "run" / "family.json").read_text())["pid"]

    separate_supervisor.kill()

    until(lambda: not alive(leader))  # told by the kernel
    assert alive(worker)  # ignores SIGTERM and has no leader any more
    supervisor.end_survivors(tmp_path / "run")
    assert not alive(worker)


def test_a_stranger_with_the_recorded_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as stranger:
        record = {"pid": stranger.pid, "started": time.time(), "command": ["gunicorn", "photos_project.wsgi"]}
        (tmp_path / "web.json").write_text(json.dumps(record))
        (tmp_path / "cut.json").write_text('{"pid": ')

        assert supervisor.end_survivors(tmp_path) == []

        assert alive(stranger.pid)
        assert list(tmp_path.iterdir()) == []
        stranger.kill()
