"""Weights that come in the background while ``quickstart`` works."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django_q.models import OrmQ

from ingest.fetching import BackgroundFetch, wanted_models
from ingest.models import StepRun
from library.models import Photo
from vision import weights
from vision.tests.weights_server import Server, break_off, serving, status, write_manifest

pytestmark = pytest.mark.django_db
PATH = "/tiny/tiny.onnx"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A light profile with one small model in place of the real one."""
    with serving() as state:
        path = tmp_path / "weights.toml"
        write_manifest(path, state, {"tiny.onnx": b"weights" * 100}, engine="tiny", licence="MIT")
        models = weights.manifest(path)
        monkeypatch.setattr(weights, "manifest", lambda: models)
        yield state


def run(seconds: float = 20, **options: Any) -> list[str]:
    """Fetch what is wanted, as quickstart does; returns what was said."""
    said: list[str] = []
    fetch = BackgroundFetch(said.append, **options)
    fetch.start(wanted_models())
    end = time.monotonic() + seconds
    while fetch.words:
        assert time.monotonic() < end
        time.sleep(0.01)
    fetch.look()
    fetch.stop()
    return said


def test_what_is_fetched_is_announced_used_and_not_fetched_again(
    server: Server, settings: Any, real_registry: Any
) -> None:
    photo = Photo.objects.create(state=Photo.State.COMPLETED, sha256="0" * 64)
    said = run()
    assert "DOWNLOAD_MODELS=0" in said[0] and said[1] == "  A tiny model. 0.0 MB. Licence: MIT."
    assert said[2:] == ["A tiny model: it is here, and is used from now on."]
    assert (Path(settings.MODEL_CACHE_DIR) / "tiny/tiny/tiny.onnx").read_bytes() == b"weights" * 100
    photo.refresh_from_db()
    assert photo.state != Photo.State.COMPLETED, "its steps are stale: the new engine looks at it"
    assert OrmQ.objects.filter(key="models").exists()
    assert not StepRun.objects.exists(), "the books are written by the workers"
    assert wanted_models() == [] and run() == []


def test_without_a_network_one_line_says_so_at_once(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch, real_registry: Any
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    started = time.monotonic()
    said = run()
    assert time.monotonic() - started < 5
    assert len(said) == 3
    assert said[2].startswith("No network for fetching models") and "\n" not in said[2]
    assert not (Path(settings.MODEL_CACHE_DIR) / "tiny").exists()


def test_a_network_that_swallows_everything_counts_as_none(server: Server, real_registry: Any) -> None:
    server.deaf_seconds = 4.0
    started = time.monotonic()
    assert "No network" in run()[2]
    assert time.monotonic() - started < 3.5


def test_when_the_network_comes_back_it_goes_on(server: Server, real_registry: Any) -> None:
    server.deaf_seconds = 2.0
    said: list[str] = []
    fetch = BackgroundFetch(said.append, retry_seconds=0.1)
    fetch.start(wanted_models())
    end = time.monotonic() + 20
    while len(said) < 4 and time.monotonic() < end:
        fetch.look()
        time.sleep(0.05)
    assert [line[:10] for line in said[2:]] == ["No network", "A tiny mod"]


def test_a_download_that_cannot_be_finished_says_how_to_go_on(server: Server, real_registry: Any) -> None:
    server.plan[PATH] = [status(404)]
    said = run()
    assert "could not be fetched" in said[2]
    assert "`manage.py download_models --profile tiny` goes on there." in said[2]


def test_what_broke_in_the_middle_is_asked_for_again(server: Server, real_registry: Any) -> None:
    server.plan[PATH] = [status(404), status(404)]
    said: list[str] = []
    fetch = BackgroundFetch(said.append, retry_seconds=0.1)
    fetch.start(wanted_models())
    end = time.monotonic() + 20
    while len(said) < 4 and time.monotonic() < end:
        fetch.look()
        time.sleep(0.05)
    assert ["could not be fetched" in line for line in said[2:]] == [True, False], "each reason once"
    assert "it is here" in said[-1]


def test_stopping_keeps_what_has_come(server: Server, settings: Any, real_registry: Any) -> None:
    said: list[str] = []
    fetch = BackgroundFetch(said.append)
    server.plan[PATH] = [break_off(100)] * 5  # then it waits a second before it tries again
    fetch.start(wanted_models())
    part = Path(settings.MODEL_CACHE_DIR) / "tiny/tiny/tiny.onnx.part"
    end = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size) and time.monotonic() < end:
        time.sleep(0.01)
    fetch.stop()
    assert fetch._thread is not None
    fetch._thread.join(10)
    assert not fetch._thread.is_alive()
    assert part.stat().st_size >= 100


def test_only_what_would_be_used_is_wanted(settings: Any, tmp_path: Path, real_registry: Any) -> None:
    assert "ViT-B-32__openai" in {model.id for model in wanted_models()}
    settings.EMBEDDER = "openclip"
    assert "ViT-B-32__openai" not in {model.id for model in wanted_models()}
