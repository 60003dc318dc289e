"""``manage.py download_models``: what is fetched, listed, checked and said, against a local server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingest.management.commands import download_models
from library import engines as library_engines
from vision import weights
from vision.embedders.clip_folder import _FILES
from vision.tests.small_models import build_clip_folder
from vision.tests.weights_server import Server, serving, write_manifest


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A free CLIP and a non-commercial face model, in place of the real manifest."""
    built = build_clip_folder(tmp_path / "built")
    with serving() as state:
        path = tmp_path / "weights.toml"
        write_manifest(path, state, {name: (built / name).read_bytes() for name in _FILES})
        write_manifest(
            path,
            state,
            {"faces.onnx": b"faces" * 100},
            id="faces",
            engine="insightface",
            profile="full",
            title="Faces",
            licence="research only",
            non_commercial=True,
        )
        models = weights.manifest(path)
        for module in (weights, download_models):
            monkeypatch.setattr(module, "manifest", lambda: models)
        yield state


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    call_command("download_models", *arguments)
    return capsys.readouterr()


def test_fetches_the_light_profile_by_default(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(capsys)
    assert out == ""
    assert "tiny: A tiny model." in err and "Licence: MIT" in err and "6 files fetched" in err
    assert "visual/model.onnx (" in err
    assert (settings.MODEL_CACHE_DIR / "clip/tiny/.weights.json").is_file()
    assert not (settings.MODEL_CACHE_DIR / "insightface").exists()
    assert "everything was there" in run(capsys)[1]


def test_the_embedder_lives_by_itself_afterwards(
    server: Server, capsys: pytest.CaptureFixture[str], real_registry: Any
) -> None:
    assert real_registry().engine_id("embedder") is None
    run(capsys)
    assert real_registry().engine_id("embedder").startswith("onnx_clip/tiny@")
    library_engines._registry.cache_clear()


def test_a_licence_has_to_be_accepted(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match=r"research only \(not for commercial use\).*--accept-licence"):
        run(capsys, "--profile", "insightface")
    out, err = run(capsys, "--profile", "full", "--json")
    assert "faces is left out" in err
    answer = json.loads(out)
    assert answer["left_out"] == ["faces"]
    assert [(row["id"], len(row["fetched"]), row["state"]) for row in answer["models"]] == [
        ("tiny", 6, "ready")
    ]
    run(capsys, "--profile", "faces", "--accept-licence")
    assert (settings.MODEL_CACHE_DIR / "insightface/faces/faces.onnx").read_bytes() == b"faces" * 100
    settings.ACCEPT_NON_COMMERCIAL = True
    assert "left out" not in run(capsys, "--profile", "full")[1]


def test_lists_without_a_network(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "--list")
    assert "tiny  (clip, light, missing)" in out and "https://example.org/tiny" in out
    assert "faces  (insightface, full, missing)" in out and "not for commercial use" in out
    rows = json.loads(run(capsys, "--list", "--json", "--profile", "faces")[0])["models"]
    assert [(row["id"], row["bytes"], row["non_commercial"]) for row in rows] == [("faces", 500, True)]
    assert server.requests == []


def test_checks_names_the_damage_and_repairs(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no downloaded weights" in run(capsys, "--check")[0]
    with pytest.raises(CommandError, match="1 of 1"):
        run(capsys, "--check", "--profile", "light")
    run(capsys)
    assert run(capsys, "--check")[0] == "tiny: right\n"
    (settings.MODEL_CACHE_DIR / "clip/tiny/config.json").write_text("{}")
    with pytest.raises(CommandError, match="1 of 1 cannot be used"):
        run(capsys, "--check")
    assert "config.json has 2 bytes" in (out := capsys.readouterr().out)
    assert "Run `manage.py download_models --profile tiny`." in out
    with pytest.raises(CommandError):
        run(capsys, "--check", "--json")
    assert "config.json" in json.loads(capsys.readouterr().out)["models"][0]["problem"]
    run(capsys)
    assert run(capsys, "--check")[0] == "tiny: right\n"


def test_offline_ends_at_once_with_instructions(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(CommandError, match=r"can be reached[\s\S]*copy them") as caught:
        run(capsys)
    assert str(settings.MODEL_CACHE_DIR / "clip/tiny/visual/model.onnx") in str(caught.value)
    assert "no downloaded weights" in run(capsys, "--check")[0], (
        "a try without a network leaves nothing begun"
    )


def test_one_that_cannot_be_had_keeps_none_of_the_others_from_coming(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (gone,) = [path for path in server.files if path.endswith("config.json") and "visual" not in path][:1]
    del server.files[gone]
    with pytest.raises(CommandError, match="tiny"):
        run(capsys, "--profile", "full", "--accept-licence")
    assert (settings.MODEL_CACHE_DIR / "insightface/faces/faces.onnx").is_file()


def test_offline_every_model_is_named(
    server: Server, settings: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(CommandError) as caught:
        run(capsys, "--profile", "full", "--accept-licence")
    for place in ("clip/tiny/config.json", "insightface/faces/faces.onnx"):
        assert str(settings.MODEL_CACHE_DIR / place) in str(caught.value)


def test_mirrors_are_asked_first(server: Server, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as mirror:
        mirror.files = dict(server.files)
        settings.MODEL_MIRRORS = (mirror.address,)
        run(capsys)
        assert len(mirror.requests) == 6
    assert server.requests == []


def test_an_unknown_profile_names_the_known_ones(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="light, full, clip, insightface, tiny, faces"):
        run(capsys, "--profile", "nonsense")


def test_interrupted_it_says_how_to_go_on(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download_models.Downloader, "get", stop)
    with pytest.raises(CommandError, match="What has come is kept") as caught:
        run(capsys)
    assert caught.value.returncode == 130
