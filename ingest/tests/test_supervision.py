"""When a cluster is started anew, and when it is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from django.db import OperationalError
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from ingest import clusters, heartbeat, supervision
from ingest.broker import LaneBroker
from ingest.models import WorkerCluster
from ingest.supervision import ClusterPulse, Watch, beat_file
from library.models import Photo
from photos_project.supervisor import Supervisor

COMPLETE = range(100, 100 + 1 + supervision.HELPERS)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(supervision, "time", made)
    return made


def processes(pids: Any = COMPLETE, *, seconds: float = 0.0) -> list[psutil.Process]:
    """A group whose processes have used the processor for so long."""
    times = SimpleNamespace(user=seconds / len(pids), system=0.0)
    return [cast(psutil.Process, SimpleNamespace(pid=pid, cpu_times=lambda: times)) for pid in pids]


@pytest.fixture
def beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give a sign as a worker does."""
    file = beat_file(tmp_path, "models")
    monkeypatch.setenv(heartbeat.FILE_VARIABLE, str(file))
    ticks = iter(range(1, 1000))

    def give() -> None:
        heartbeat.beat()
        os.utime(file, (1, next(ticks)))

    return give


@pytest.fixture
def pulse(tmp_path: Path, clock: Clock) -> ClusterPulse:
    return ClusterPulse("models", beat_file(tmp_path, "models"))


def test_a_cluster_that_beats_is_left_alone(pulse: ClusterPulse, clock: Clock, beat: Any) -> None:
    for _ in range(50):
        beat()
        clock.now += 5
        assert pulse.look(100, processes()) == ""
    assert pulse.beat_at is not None


def test_silence_is_waited_for_twice_as_long_after_each_start(
    pulse: ClusterPulse, clock: Clock, beat: Any
) -> None:
    waits = []
    for leader in range(100, 106):
        assert pulse.look(leader, processes()) == ""
        started = clock.now
        while not pulse.look(leader, processes()):
            clock.now += 1
        waits.append(round(clock.now - started) - 1)
        pulse.restarted()
    assert waits == [60, 120, 240, 480, 960, 960]
    beat()
    pulse.look(106, processes())
    clock.now += 61
    assert "no sign of life" in pulse.look(106, processes())


def test_a_lost_process_makes_impatient(pulse: ClusterPulse, clock: Clock, beat: Any) -> None:
    beat()
    pulse.look(100, processes())
    replaced = [*COMPLETE[:-1], 999]
    assert pulse.look(100, processes(replaced)) == ""
    assert pulse.took_note()
    assert not pulse.took_note()
    clock.now += supervision.SUSPICIOUS_SECONDS + 1
    assert "no sign of life" in pulse.look(100, processes(replaced))


def test_a_sign_after_the_loss_calms(pulse: ClusterPulse, clock: Clock, beat: Any) -> None:
    pulse.look(100, processes())
    pulse.look(100, processes([*COMPLETE[:-1], 999]))
    beat()
    clock.now += 16
    assert pulse.look(100, processes([*COMPLETE[:-1], 999])) == ""


def test_a_library_that_lets_no_thread_run_is_at_work(pulse: ClusterPulse, clock: Clock) -> None:
    pulse.look(100, processes())
    clock.now += 100
    assert pulse.look(100, processes(seconds=90)) == ""
    clock.now += 600
    assert pulse.look(100, processes(seconds=690)) != ""


def test_a_cluster_that_does_not_replace_its_dead_is_started_anew(
    pulse: ClusterPulse, clock: Clock, beat: Any
) -> None:
    pulse.look(100, processes())
    for _ in range(13):
        beat()
        clock.now += 5
        reason = pulse.look(100, processes(COMPLETE[:-1]))
    assert reason == "4 of 5 processes for 60 s"


def test_work_beats_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = beat_file(tmp_path, "files")
    monkeypatch.setenv(heartbeat.FILE_VARIABLE, str(file))
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.01)
    with heartbeat.beating():
        while not file.exists():
            time.sleep(0.01)
        file.unlink()
        while not file.exists():
            time.sleep(0.01)
    file.unlink()
    time.sleep(0.05)
    assert not file.exists()


# --- With the database -------------------------------------------------------------------------------------


class Children:
    """Takes the place of the supervisor."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.restarted: list[tuple[str, str]] = []

    def poll(self) -> None: ...

    def pids(self) -> dict[str, int]:
        return {"files": 100}

    def processes(self, name: str) -> list[psutil.Process]:
        return processes()

    def restart(self, name: str, reason: str, *, patience: float | None = None) -> None:
        self.restarted.append((name, reason))


@pytest.mark.django_db
def test_a_silent_lane_is_started_anew_woken_and_told_of(tmp_path: Path, clock: Clock, settings: Any) -> None:
    settings.MACHINE_NAME = "nas"
    Photo.objects.create()
    children = Children(tmp_path)
    watch = Watch(cast(Supervisor, children), ("files",))
    watch.announce()
    watch.look()
    clock.now += 61
    watch.look()
    assert children.restarted == [("files", "no sign of life for 61 s")]
    assert [row.key for row in OrmQ.objects.all()][:1] == ["files"]
    assert WorkerCluster.objects.get().restarts == 1
    assert clusters.mark("nas").exists()
    watch.withdraw()
    assert not WorkerCluster.objects.exists()


@pytest.mark.django_db
def test_the_lanes_are_woken_when_the_database_is_back(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Photo.objects.create()
    watch = Watch(cast(Supervisor, Children(tmp_path)), ("files",))
    # Closing the one connection of a test would end its transaction.
    monkeypatch.setattr(supervision, "connection", SimpleNamespace(close=lambda: None))

    def away() -> None:
        raise OperationalError("server closed the connection")

    assert not watch.with_database(away)
    assert not OrmQ.objects.exists()
    assert watch.with_database(lambda: None)
    assert {row.key for row in OrmQ.objects.all()} == {"files"}


@pytest.mark.django_db
def test_a_cluster_takes_no_more_than_it_has_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(heartbeat.FILE_VARIABLE, raising=False)
    monkeypatch.setattr("ingest.broker.Conf", SimpleNamespace(WORKERS=2, POLL=0.0))
    broker = LaneBroker(list_key="files")
    for _ in range(4):
        broker.enqueue("a task")
    first, second = broker.dequeue()[0][0], broker.dequeue()[0][0]
    assert broker.dequeue() is None
    broker.acknowledge(first)
    third = broker.dequeue()[0][0]
    assert len({first, second, third}) == 3
    assert broker.dequeue() is None


@pytest.mark.django_db
def test_an_idle_cluster_gets_signs_to_give_without_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(heartbeat.FILE_VARIABLE, str(tmp_path / "files.beat"))
    monkeypatch.setattr("ingest.broker.Conf", SimpleNamespace(WORKERS=1, POLL=0.0))
    broker = LaneBroker(list_key="files")
    ((row, package),) = broker.dequeue()
    assert row is None
    assert SignedPackage.loads(package)["func"] == "ingest.heartbeat.beat"
    assert broker.dequeue() is None
    assert not OrmQ.objects.exists()
