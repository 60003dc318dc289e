"""What keeps an installation on one machine going."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from django.core.management import CommandError
from django_q.models import OrmQ

from ingest.progress import progress
from ingest.serving import STOP_SECONDS, folder_watch, serving, worker_clusters
from ingest.states import LANES
from ingest.supervision import StallWatch
from library.models import Photo
from photos_project.supervisor import Supervisor

pytestmark = pytest.mark.django_db


class Restarts:
    """Takes the place of the supervisor and notes what it is asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def restart(self, name: str, reason: str, *, patience: float | None = None) -> None:
        """As the supervisor's."""
        self.names.append(name)


def watch(restarts: Restarts, patience: float) -> StallWatch:
    return StallWatch(cast(Supervisor, restarts), patience=patience)


def test_workers_that_do_nothing_while_photos_wait_are_restarted_and_woken() -> None:
    Photo.objects.create()
    restarts = Restarts()
    stalled = watch(restarts, 0.0)
    assert not stalled.look(progress())
    assert stalled.look(progress())
    assert restarts.names == ["files", "models"]
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"files", "models"}


def test_workers_that_move_are_left_alone() -> None:
    photo = Photo.objects.create()
    restarts = Restarts()
    moving = watch(restarts, 0.0)
    moving.look(progress())
    for state in (Photo.State.PREPROCESSING, Photo.State.PROCESSING_OBJECTS, Photo.State.COMPLETED):
        Photo.objects.filter(pk=photo.pk).update(state=state)
        assert not moving.look(progress())
    assert not moving.look(progress())  # everything is finished: there is nothing to move
    assert not restarts.names


def test_patience_is_kept() -> None:
    Photo.objects.create()
    restarts = Restarts()
    patient = watch(restarts, 60.0)
    assert not patient.look(progress())
    assert not patient.look(progress())
    assert not restarts.names


def test_a_second_server_on_one_data_folder_is_refused(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "start", lambda self: None)
    monkeypatch.setattr(Supervisor, "stop", lambda self: None)
    settings.PORT = 0
    with serving(), pytest.raises(CommandError, match="running from .* already"), serving():
        raise AssertionError("a second server was started")


def test_docker_waits_longer_for_the_batch_in_hand_than_the_supervisor_does(settings: Any) -> None:
    services = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())["services"]
    graces = {services[name]["stop_grace_period"] for name in ("files", "models", "models-gpu")}
    assert graces == {"60s"}
    assert STOP_SECONDS < 60


def test_every_lane_has_its_cluster() -> None:
    clusters = worker_clusters(LANES, Path("/run"), log_files=True)
    assert [(child.name, child.environment["Q_CLUSTER_NAME"]) for child in clusters] == [
        ("files", "files"),
        ("models", "models"),
    ]
    assert all(child.environment["OMP_WAIT_POLICY"] == "PASSIVE" for child in clusters)


def test_the_watch_runs_beside_them_unless_it_is_off(settings: Any) -> None:
    (watch,) = folder_watch()
    assert (watch.name, watch.command[-1]) == ("watch", "watch_library")
    settings.WATCH = False
    assert folder_watch() == []
