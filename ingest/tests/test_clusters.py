"""What the machines know of each other's workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingest import clusters, tasks
from ingest.models import WorkerCluster
from library.models import Photo

pytestmark = pytest.mark.django_db


def cluster(machine: str, lane: str = "files", *, seen: float = 1, beat: float = 3, **fields: Any) -> None:
    """A row of this lane; ``seen`` and ``beat`` are seconds ago."""
    now = timezone.now()
    at = {"at": now - timedelta(seconds=seen), "beat_at": now - timedelta(seconds=beat)}
    fields = {"workers": 2, "started_at": now - timedelta(minutes=5)} | at | fields
    WorkerCluster.objects.create(machine=machine, lane=lane, **fields)


def sentences() -> list[str]:
    return [found["sentence"] for found in clusters.clusters()]


def test_a_lane_is_told_in_a_sentence() -> None:
    cluster("nas")
    cluster("nas", "models", workers=1, restarts=1, beat=600)
    assert sentences() == [
        "files: 2 workers, last sign 3 s ago",
        "models: 1 worker, last sign 10 min ago, started anew once",
    ]


def test_of_several_machines_each_is_named() -> None:
    cluster("nas")
    cluster("tower", "models", workers=1)
    assert sentences()[1] == "models on tower: 1 worker, last sign 3 s ago"


@pytest.mark.parametrize(("seen", "beat", "silent"), [(1, 3, False), (1, 100, True), (300, 302, True)])
def test_who_gives_no_sign_is_silent_and_warned_of(seen: float, beat: float, silent: object) -> None:
    cluster("nas", seen=seen, beat=beat)
    found = clusters.clusters()
    assert found[0]["silent"] is silent
    assert bool(clusters.warnings(found)) is silent
    if silent:
        assert "manage.py supervise --lane files" in clusters.warnings(found)[0]


def test_a_machine_that_was_switched_off_is_forgotten_after_a_day() -> None:
    cluster("nas", seen=90_000, beat=90_000)
    assert clusters.clusters() == []


def test_slices_are_queued_for_the_workers_of_all_machines() -> None:
    Photo.objects.create()
    cluster("nas")
    cluster("tower", workers=3)
    cluster("attic", workers=7, seen=300)  # gone
    assert tasks.wake("files") == 5


def test_only_who_came_later_and_does_not_see_the_marks_leaves_the_work_alone(settings: Any) -> None:
    settings.MACHINE_NAME = "tower"
    cluster("nas")
    cluster("tower", started_at=timezone.now())
    assert "is not the folder that nas writes to" in clusters.problem()
    Photo.objects.create()
    assert tasks.run_slice("files") == 0
    assert Photo.objects.get().state == Photo.State.PENDING

    settings.MACHINE_NAME = "nas"  # the tower has left no mark either, but it came later
    assert clusters.problem() == ""
    assert clusters.leave_mark() == ""
    settings.MACHINE_NAME = "tower"  # now the folder is shared
    assert clusters.problem() == ""


def test_a_machine_that_is_gone_says_nothing_about_the_folder(settings: Any) -> None:
    settings.MACHINE_NAME = "tower"
    cluster("nas", seen=300)
    assert clusters.problem() == ""


def test_a_folder_that_cannot_be_written_is_a_problem(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "file").write_text("no folder")
    settings.THUMBNAIL_DIR = tmp_path / "file"
    assert "cannot be written" in clusters.leave_mark()


def test_the_owner_sees_the_workers_and_a_member_does_not(
    owner_client: Client, member_client: Client
) -> None:
    cluster("nas", beat=600)
    page = owner_client.get("/status/").content.decode()
    assert "files: 2 workers, last sign 10 min ago" in page
    assert "silent" in page
    assert owner_client.get("/api/stats").json()["workers"][0]["machine"] == "nas"
    assert "2 workers" not in member_client.get("/status/").content.decode()
    assert member_client.get("/api/stats").json()["workers"] == []
