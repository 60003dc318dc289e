"""The door to django-q2: slices, wake-ups and schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from ingest import tasks
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, states
from library.models import Photo

pytestmark = pytest.mark.django_db

State = Photo.State


@pytest.fixture(autouse=True)
def _two_readers(settings: Any) -> None:
    clusters = {"files": {"workers": 2}, "models": {"workers": 1}}
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "ALT_CLUSTERS": clusters}


def queued(lane: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.func(), row.args()) for row in OrmQ.objects.filter(key=lane).order_by("pk")]


def taken(lane: str, func: str = tasks.SLICE, *, ago: float = 0) -> OrmQ:
    """A row as the broker leaves it when a worker has taken it, ``ago`` seconds ago."""
    payload = SignedPackage.dumps({"id": "x", "name": "x", "func": func, "args": (lane,), "kwargs": {}})
    lock = timezone.now() + timedelta(seconds=Conf.RETRY - ago)
    return OrmQ.objects.create(key=lane, payload=payload, lock=lock)


def waiting(state: str = State.PENDING) -> Photo:
    return Photo.objects.create(state=state)


def test_a_task_carries_the_name_of_its_lane_and_nothing_else() -> None:
    tasks.wake("models")
    assert queued("models") == [("ingest.tasks.run_slice", ("models",))]


def test_waking_again_and_again_queues_a_slice_for_each_worker_and_no_more() -> None:
    waiting()
    for _ in range(3):
        tasks.wake_all()
    assert len(queued("files")) == 2
    assert len(queued("models")) == 1


def test_running_slices_count() -> None:
    waiting()
    taken("files", ago=10)
    assert tasks.wake("files") == 1
    taken("models", ago=10)
    assert tasks.wake("models") == 0


def test_a_slice_whose_worker_died_long_ago_does_not_count(settings: Any) -> None:
    taken("models", ago=settings.SLICE_SECONDS + tasks.SLICE_GRACE_SECONDS + 1)
    assert tasks.wake("models") == 1


def test_the_task_that_wakes_a_lane_is_no_slice() -> None:
    """It stands in the queue of the lane itself while it runs."""
    taken("models", "ingest.tasks.wake")
    assert tasks.wake("models") == 1


def test_queues_can_be_emptied_before_a_start() -> None:
    taken("models")
    taken("files")
    OrmQ.objects.create(key="other", payload="x", lock=timezone.now())
    tasks.forget_lost_slices()
    assert list(OrmQ.objects.values_list("key", flat=True)) == ["other"]


def test_schedules_are_made_once(settings: Any) -> None:
    tasks.ensure_schedules()
    before = list(
        Schedule.objects.order_by("name").values("pk", "name", "func", "args", "minutes", "next_run")
    )
    tasks.ensure_schedules()
    assert list(Schedule.objects.order_by("name").values(*before[0])) == before
    for name in ("people", "scan"):
        nightly = before.pop(0)
        assert (nightly["name"], nightly["func"]) == (f"nightly {name}", f"ingest.tasks.nightly_{name}")
        assert timezone.localtime(nightly["next_run"]).hour == settings.NIGHTLY_SCAN_HOUR
        assert timedelta(0) < nightly["next_run"] - timezone.now() <= timedelta(days=1)
    assert [(row["name"], row["func"], row["args"], row["minutes"]) for row in before] == [
        ("settle answers", "ingest.tasks.settle_answers", None, 1),
        ("wake files", "ingest.tasks.wake", "('files',)", 1),
        ("wake models", "ingest.tasks.wake", "('models',)", 1),
    ]
    assert set(Schedule.objects.values_list("cluster", "repeats")) == {("files", -1), ("models", -1)}


def test_the_nightly_scan_can_be_turned_off(settings: Any) -> None:
    tasks.ensure_schedules()
    settings.NIGHTLY_SCAN_HOUR = -1
    tasks.ensure_schedules()
    assert not Schedule.objects.filter(name__startswith="nightly").exists()


def test_the_nightly_scan_looks_through_every_watched_root(album: Album, engines: Engines) -> None:
    album.scan()
    album.put("one.jpg", 1)
    async_task("ingest.tasks.nightly_scan", sync=True)
    assert states() == {"one.jpg": State.PENDING}
    assert queued("files")


def test_slices_take_photos_through_both_lanes(album: Album, engines: Engines) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    assert tasks.run_slice("files") == 3
    assert queued("models") == [(tasks.SLICE, ("models",))]
    assert tasks.run_slice("models") == 3
    assert set(states().values()) == {State.COMPLETED}


def test_a_slice_that_found_everything_done_queues_no_successor(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.scan()
    tasks.run_slice("files")
    assert queued("files") == []
    OrmQ.objects.all().delete()
    tasks.run_slice("models")
    assert queued("models") == []


def test_a_slice_ends_at_its_deadline_and_queues_its_successor(
    album: Album, engines: Engines, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BATCH_SIZE = 1
    for seed in range(4):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    now = [100.0]
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now[0])

    def slow(images: Any) -> None:
        now[0] += settings.SLICE_SECONDS / 2 + 1

    engines.reader_fake.before = slow
    assert tasks.run_slice("models") == 1
    assert queued("models") == [(tasks.SLICE, ("models",))]
    assert not Photo.objects.exclude(leased_by="").exists()
    engines.reader_fake.before = lambda images: None
    assert tasks.run_slice("models") == 3


def test_successors_do_not_multiply(album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each running slice queues one, unless there are enough already."""
    waiting(State.PROCESSING_OCR)
    monkeypatch.setattr(tasks, "_deadline", lambda seconds: lambda: True)
    running = taken("models")
    for _ in range(3):
        tasks.run_slice("models")
    assert OrmQ.objects.filter(key="models").exclude(pk=running.pk).count() == 1


def test_work_that_others_hold_is_no_reason_for_a_successor(engines: Engines) -> None:
    Photo.objects.create(
        state=State.PROCESSING_OCR,
        leased_by="elsewhere:1:1",
        lease_until=timezone.now() + timedelta(seconds=60),
    )
    tasks.run_slice("models")
    assert queued("models") == []


def test_a_service_that_stops_queues_nothing(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(State.PROCESSING_OCR)
    monkeypatch.setattr(tasks, "stop_requested", lambda: True)
    assert tasks.run_slice("models") == 0
    assert queued("models") == []


def test_stale_steps_are_looked_for_now_and_then(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    now = [1000.0]
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now[0])
    tasks.run_slice("models")
    engines.reader_fake.version = "2"
    now[0] += tasks.STALE_CHECK_SECONDS - 1
    assert tasks.run_slice("models") == 0
    now[0] += 2
    assert tasks.run_slice("models") == 1


def test_a_task_runs_through_django_q_itself(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.scan()
    async_task(tasks.SLICE, "files", sync=True)
    assert states() == {"one.jpg": State.PROCESSING_OBJECTS}


def test_a_retry_of_the_broker_comes_after_the_end_of_a_task(settings: Any) -> None:
    """The clock of the retry starts when a row is taken; an earlier retry would run a slice twice."""
    assert Conf.RETRY > Conf.TIMEOUT > settings.SLICE_SECONDS
    assert Conf.MAX_ATTEMPTS == 1
