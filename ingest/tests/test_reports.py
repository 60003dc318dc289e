"""What workers report about memory, and what people are told: status page, library_status, /api/stats."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingest.leases import Worker
from ingest.models import WorkerReport
from ingest.reports import SILENT
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from library.models import EmbeddingSpace
from library.tests.factories import add_embedding, make_photo
from library.tests.pages import assert_sound
from vision import memory

pytestmark = pytest.mark.django_db

HERE = Worker.this_process()
CLIP = {
    "engine": "onnx_clip/ViT@1",
    "part": "image tower",
    "seconds": 1.25,
    "ram_mib": 345,
    "gpu_mib": 2100,
    "at": "2026-11-20T12:00:00+00:00",
    "details": {"device": "cuda", "precision": "fp16"},
}
CARD = {"name": "Some Card", "used_mib": 22_900, "total_mib": 24_000}


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    memory._LOADED.clear()


def report(worker: str = HERE.name, **fields: Any) -> WorkerReport:
    values = {"process_mib": 1234, "engines": [CLIP], "gpus": [], "at": timezone.now()} | fields
    return WorkerReport.objects.create(worker=worker, **values)


def status() -> str:
    out = io.StringIO()
    call_command("library_status", stdout=out, no_color=True)
    return out.getvalue()


def status_json() -> Any:
    out = io.StringIO()
    call_command("library_status", "--json", stdout=out)
    return json.loads(out.getvalue())


def page(client: Client) -> str:
    response = client.get(reverse("ingest:status"))
    assert response.status_code == 200
    return assert_sound(response)


def test_a_worker_reports_the_engines_it_has_loaded(
    album: Album, real_registry: Callable[[], Any], clip_folder: Path, settings: Any, owner_client: Client
) -> None:
    """Real engines on a real photo; what they hold is read where people look."""
    settings.CLIP_ONNX_DIR = clip_folder
    settings.DEVICE = "cpu"
    album.put("0.jpg", 0)
    album.take_in()
    (told,) = status_json()["memory"]
    assert told["worker"] == f"{HERE.host}:{os.getpid()}"
    assert told["process_mib"] > 50
    parts = {(load["engine"].partition("/")[0], load["part"]): load for load in told["engines"]}
    assert {("onnx_clip", "image tower"), ("rapidocr", ""), ("dlib", "")} <= parts.keys()
    # Memory that an earlier test gave back may take a load up unseen; vision.tests.test_memory measures one.
    assert parts["rapidocr", ""]["ram_mib"] >= 0 and parts["rapidocr", ""]["seconds"] > 0
    assert all(load["details"]["device"] == "cpu" for load in told["engines"])
    assert "rapidocr/" in page(owner_client)
    assert owner_client.get("/api/stats").json()["memory"] == [told]
    assert "loaded in" in status()
    assert "embedder   onnx_clip/tiny@" in status() and " on cpu" in status()


def test_a_full_card_is_warned_about_everywhere(engines: Engines, owner_client: Client) -> None:
    report(f"gpu-box:{HERE.pid}:1", gpus=[CARD])
    report("gpu-box:2:1", gpus=[CARD])  # the same card, seen by two workers
    words = "The graphics card Some Card of gpu-box is 95% full (22,900 of 24,000 MiB"
    html = page(owner_client)
    assert html.count(words) == 1
    assert "nearly full" in html
    text = status()
    assert words in text
    assert (
        "345 MiB and 2,100 MiB on the card onnx_clip/ViT@1 image tower on cuda, fp16, loaded in 1.25 s"
        in text
    )
    stats = owner_client.get("/api/stats").json()
    assert len(stats["warnings"]) == 1
    assert words in stats["warnings"][0]
    assert status_json()["warnings"] == stats["warnings"]


def test_a_card_with_room_is_shown_without_a_warning(engines: Engines, owner_client: Client) -> None:
    report("gpu-box:7:1", gpus=[CARD | {"used_mib": 21_600}])
    assert owner_client.get("/api/stats").json()["warnings"] == []
    html = page(owner_client)
    assert "21,600 of 24,000 MiB" in html
    assert "nearly full" not in html


def test_workers_that_are_gone_are_not_shown_and_then_removed(album: Album, engines: Engines) -> None:
    report(f"{HERE.host}:{2**22 + 1}:5")
    report("elsewhere:5:5", at=timezone.now() - SILENT - timedelta(seconds=1))
    kept = report("elsewhere:6:5")
    assert [told["worker"] for told in status_json()["memory"]] == ["elsewhere:6"]
    album.process()
    assert set(WorkerReport.objects.values_list("worker", flat=True)) == {kept.worker, HERE.name}


def test_members_are_told_nothing_about_machines(engines: Engines, member_client: Client) -> None:
    report("gpu-box:7:1", gpus=[CARD])
    EmbeddingSpace.objects.create(kind="image", engine="old", model="1", dimensions=4, status="active")
    assert "gpu-box" not in page(member_client)
    stats = member_client.get("/api/stats").json()
    assert stats["memory"] == stats["warnings"] == stats["spaces"] == []


def test_a_space_that_is_being_filled_is_told_everywhere(engines: Engines, owner_client: Client) -> None:
    old = EmbeddingSpace.objects.create(kind="image", engine="old", model="1", dimensions=4, status="active")
    new = EmbeddingSpace.objects.create(kind="image", engine="fake_embedder", model="1", dimensions=4)
    photos = [make_photo() for _ in range(3)]
    for photo in photos:
        add_embedding(photo, [1, 0, 0, 0], old)
    add_embedding(photos[0], [1, 0, 0, 0], new)
    words = "filled by fake_embedder/1: 1 of 3 photos; the old one answers meanwhile."
    assert words in page(owner_client)
    assert words in status()
    (space,) = owner_client.get("/api/stats").json()["spaces"]
    assert (space["id"], space["filled"], space["photos"]) == (new.pk, 1, 3)


def test_a_worker_tells_often_but_writes_seldom(album: Album, engines: Engines, monkeypatch: Any) -> None:
    written: list[str] = []
    real = WorkerReport.objects.update_or_create

    def count(**values: Any) -> Any:
        written.append(values["worker"])
        return real(**values)

    monkeypatch.setattr(WorkerReport.objects, "update_or_create", count)
    for seed in range(6):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    from ingest.runner import ModelsLane

    ModelsLane(batch_size=2).run()
    assert written == [HERE.name] * 2  # at the first batch and at the end
