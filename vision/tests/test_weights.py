"""Fetching and checking weights, against a server that misbehaves in every way seen in the wild."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vision import weights
from vision.config import EngineConfig
from vision.devices import onnx_session
from vision.embedders.clip_folder import _FILES
from vision.errors import EngineUnavailable
from vision.registry import Registry
from vision.tests import weights_server as web
from vision.tests.small_models import build_clip_folder
from vision.tests.weights_server import Server, serving, write_manifest
from vision.weights import (
    Model,
    UnknownWeights,
    WeightsDamaged,
    WeightsMissing,
    check_file,
    manifest,
    select,
    state,
    verify,
)
from vision.weights_download import DiskFull, Downloader, DownloadFailed, Offline
from vision.weights_http import Patience, Refused, _Redirects

QUICK = Patience(answer_seconds=2, stall_seconds=0.3, attempts=3, backoff_seconds=0.001)
BIG = np.random.default_rng(1).bytes(300_000)
FILES = {"config.json": b'{"a": 1}', "visual/model.onnx": BIG}
MODEL = "/tiny/visual/model.onnx"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def model(server: Server, tmp_path: Path) -> Model:
    (model,) = manifest(write_manifest(tmp_path / "known.toml", server, FILES))
    return model


@pytest.fixture
def unknown(server: Server, tmp_path: Path) -> Model:
    """The same, without sizes and checksums."""
    (model,) = manifest(write_manifest(tmp_path / "unknown.toml", server, FILES, known=False))
    return model


def get(model: Model, cache: Path, **options: Any) -> list[str]:
    return Downloader(cache, patience=options.pop("patience", QUICK), **options).get(model)


def there(model: Model, cache: Path) -> dict[str, bytes]:
    """The files of the model, nothing half and nothing left over."""
    folder = model.folder(cache)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {*FILES, ".weights.json", ".lock"}
    return {name: (folder / name).read_bytes() for name in FILES}


# The manifest ----------------------------------------------------------------------------------------------


def test_the_shipped_manifest_makes_sense() -> None:
    models = manifest()
    light = ["ViT-B-32__openai", "yunet-sface"]
    assert [model.id for model in select("light")] == light
    assert not any(model.non_commercial for model in select("light"))
    assert [model.id for model in select("full")] == [
        *("ViT-B-32__openai", "ViT-H-14__laion2b_s32b_b79k", "yunet-sface"),
        *("ram_plus_swin_large_14m", "buffalo_l"),
    ]
    assert [model.id for model in select("openclip")] == ["ViT-H-14__laion2b_s32b_b79k"]
    assert [model.id for model in select("buffalo_l") if model.non_commercial] == ["buffalo_l"]
    assert [model.id for model in select("insightface")] == ["buffalo_l"]
    assert [model.id for model in select("describer")] == ["SmolVLM-500M-Instruct"]
    with pytest.raises(UnknownWeights, match="several models; choose by id: .*korean_PP-OCRv5_rec_mobile"):
        select("rapidocr")
    assert [model.id for model in select("clip")] == ["ViT-B-32__openai"]
    assert [model.id for model in select("ViT-B-16-SigLIP2__webli")] == ["ViT-B-16-SigLIP2__webli"]
    for model in models:
        assert model.licence and model.homepage.startswith("https://")
        for file in model.files:
            assert all(source.startswith("https://") for source in file.sources)
            assert file.sha256 is None or len(file.sha256) == 64
        if model.engine == "clip":
            assert {file.path for file in model.files} == set(_FILES)
    with pytest.raises(UnknownWeights, match=r"no weights 'nonsense'.*light, full, clip.*buffalo_l"):
        select("nonsense")


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_manifest_cannot_lead_out_of_its_folder(server: Server, tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        manifest(write_manifest(tmp_path / "evil.toml", server, {path: b""}))


# Fetching --------------------------------------------------------------------------------------------------


def test_fetched_recorded_and_not_fetched_again(server: Server, model: Model, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    assert state(model, tmp_path) == "missing"
    assert get(model, tmp_path, progress=lambda file, *now: steps.append((file.path, *now))) == list(FILES)
    assert there(model, tmp_path) == FILES
    assert state(model, tmp_path) == "ready"
    assert ("visual/model.onnx", len(BIG), len(BIG)) in steps
    record = json.loads((model.folder(tmp_path) / ".weights.json").read_text())
    row = record["files"]["visual/model.onnx"]
    assert record["model"] == "tiny"
    assert row["sha256"] == hashlib.sha256(BIG).hexdigest() and row["size"] == len(BIG)
    assert row["source"] == server.address + MODEL
    verify(model, tmp_path)
    count = len(server.requests)
    assert get(model, tmp_path) == []
    assert len(server.requests) == count


@pytest.mark.parametrize("known", [True, False])
def test_goes_on_where_the_line_broke(server: Server, tmp_path: Path, *, known: bool) -> None:
    (model,) = manifest(write_manifest(tmp_path / "m.toml", server, FILES, known=known))
    # More breaks than attempts: each of them brings something new.
    server.plan[MODEL] = [web.break_off(50_000)] * 4
    get(model, tmp_path)
    assert there(model, tmp_path) == FILES
    assert server.asked(MODEL) == [None, *(f"bytes={n}-" for n in (50_000, 100_000, 150_000, 200_000))]


def test_a_later_run_goes_on(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.break_off(70_000), *[web.break_off(0)] * 3]
    with pytest.raises(
        DownloadFailed, match=r"broke off at byte 70000 of 300000[\s\S]*What has come is kept"
    ):
        get(model, tmp_path)
    assert state(model, tmp_path) == "unfinished"
    with pytest.raises(WeightsMissing, match=r"model\.onnx is missing.*download_models --profile tiny"):
        verify(model, tmp_path)
    server.plan.clear()
    server.requests.clear()
    assert get(model, tmp_path) == ["visual/model.onnx"]
    assert server.asked(MODEL) == ["bytes=70000-"]
    assert there(model, tmp_path) == FILES


KILLED = """
import sys
from pathlib import Path
from vision.weights import manifest
from vision.weights_download import Downloader

Downloader(Path(sys.argv[2])).get(manifest(Path(sys.argv[1]))[0])
"""


def test_goes_on_after_a_kill(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.stall(10, after=200_000)]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "known.toml"), str(tmp_path)]
    part = model.folder(tmp_path) / "visual/model.onnx.part"
    with subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2]) as process:
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size > 100_000):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert not (part.parent / "model.onnx").exists()
    there_already = part.stat().st_size
    get(model, tmp_path)
    assert server.asked(MODEL) == [None, f"bytes={there_already}-"]
    assert there(model, tmp_path) == FILES


def test_a_file_that_changed_meanwhile_is_not_glued_together(
    server: Server, unknown: Model, tmp_path: Path
) -> None:
    server.plan[MODEL] = [web.break_off(70_000), *[web.break_off(0)] * 3]
    with pytest.raises(DownloadFailed):
        get(unknown, tmp_path)
    server.plan.clear()
    server.files[MODEL] = changed = np.random.default_rng(2).bytes(200_000)
    get(unknown, tmp_path)
    assert there(unknown, tmp_path)["visual/model.onnx"] == changed


def test_without_a_validator_and_checksum_it_starts_over(
    server: Server, unknown: Model, tmp_path: Path
) -> None:
    server.etag = False
    server.plan[MODEL] = [web.break_off(70_000)]
    get(unknown, tmp_path)
    assert server.asked(MODEL) == [None, None]
    assert there(unknown, tmp_path) == FILES


def test_a_server_without_ranges(server: Server, model: Model, tmp_path: Path) -> None:
    server.ranges = False
    server.plan[MODEL] = [web.break_off(70_000)]
    get(model, tmp_path)
    assert there(model, tmp_path) == FILES


def test_a_part_that_is_too_long_starts_over(server: Server, unknown: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.break_off(70_000), *[web.break_off(0)] * 3]
    with pytest.raises(DownloadFailed):
        get(unknown, tmp_path)
    server.plan.clear()
    part = unknown.folder(tmp_path) / "visual/model.onnx.part"
    part.write_bytes(bytes(400_000))
    get(unknown, tmp_path)
    assert there(unknown, tmp_path) == FILES


def test_wrong_bytes_are_refused(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.wrong_bytes]
    get(model, tmp_path)
    assert there(model, tmp_path) == FILES
    (model.folder(tmp_path) / "visual/model.onnx").unlink()
    server.plan[MODEL] = [web.wrong_bytes] * 9
    with pytest.raises(DownloadFailed, match="another content"):
        get(model, tmp_path)
    assert len(server.plan[MODEL]) == 7, "a large file is not fetched more than twice for nothing"
    assert not list(model.folder(tmp_path).glob("visual/*"))


def test_a_rotten_part_is_thrown_away(server: Server, model: Model, tmp_path: Path) -> None:
    part = model.folder(tmp_path) / "visual/model.onnx.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(len(BIG)))
    get(model, tmp_path)
    assert there(model, tmp_path) == FILES


def test_another_size_is_refused_before_it_comes(server: Server, model: Model, tmp_path: Path) -> None:
    server.files[MODEL] = BIG + b"more"
    with pytest.raises(DownloadFailed, match="300004 bytes where 300000 are expected"):
        get(model, tmp_path)


def test_the_checksum_of_the_hub_counts(server: Server, unknown: Model, tmp_path: Path) -> None:
    """The manifest knows none, but the hub's redirect to its storage names one."""
    tag = f'"{hashlib.sha256(BIG).hexdigest()}"'
    redirect = web.status(302, Location=f"{server.address}/storage", X_Linked_Etag=tag)
    server.plan[MODEL] = [redirect] * 9
    server.files["/storage"] = bytes(len(BIG))
    with pytest.raises(DownloadFailed, match="another content"):
        get(unknown, tmp_path)
    server.files["/storage"] = BIG
    get(unknown, tmp_path)
    assert there(unknown, tmp_path) == FILES


def test_resumes_behind_a_redirect(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.status(307, Location="/storage")] * 2
    server.files["/storage"] = BIG
    server.plan["/storage"] = [web.break_off(50_000)]
    get(model, tmp_path)
    assert server.asked("/storage") == [None, "bytes=50000-"]
    assert there(model, tmp_path) == FILES


@pytest.mark.parametrize("target", ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd"])
def test_no_redirect_leads_from_https_to_less(target: str) -> None:
    from urllib.request import Request

    with pytest.raises(Refused, match="not safe"):
        _Redirects().redirect_request(Request("https://example.org/a"), None, 302, "Found", {}, target)  # type: ignore[arg-type]


def test_a_redirect_to_another_scheme_is_told(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.status(302, Location="file:///etc/passwd")]
    with pytest.raises(DownloadFailed, match="is not allowed"):
        get(model, tmp_path)


def test_a_stall_ends_and_goes_on(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.stall(1.0, after=60_000)]
    began = time.monotonic()
    get(model, tmp_path)
    assert time.monotonic() - began < 1.0
    assert server.asked(MODEL) == [None, "bytes=60000-"]
    assert there(model, tmp_path) == FILES


def test_a_busy_server_is_asked_again(server: Server, model: Model, tmp_path: Path) -> None:
    pauses: list[float] = []
    server.plan[MODEL] = [web.status(503, Retry_After="7"), web.status(429)]
    get(model, tmp_path, sleep=pauses.append)
    assert there(model, tmp_path) == FILES
    assert pauses[0] == 7 and pauses[1] < 1


def test_not_found_is_not_asked_twice(server: Server, model: Model, tmp_path: Path) -> None:
    del server.files[MODEL]
    with pytest.raises(DownloadFailed, match=r"answers 404[\s\S]*MODEL_MIRRORS") as caught:
        get(model, tmp_path)
    assert not isinstance(caught.value, Offline)
    assert len(server.asked(MODEL)) == 1


def test_a_sign_in_page_is_no_model(server: Server, unknown: Model, tmp_path: Path) -> None:
    server.plan["/tiny/config.json"] = [web.sign_in_page]
    with pytest.raises(DownloadFailed, match="web page"):
        get(unknown, tmp_path)
    assert not (unknown.folder(tmp_path) / "config.json").exists()


# Mirrors, no network, no room ------------------------------------------------------------------------------


def test_mirrors_come_first_and_the_source_stands_in(server: Server, model: Model, tmp_path: Path) -> None:
    with serving() as mirror:
        mirror.files["/hub" + MODEL] = BIG
        get(model, tmp_path, mirrors=[mirror.address + "/hub/"])
        assert [path for path, _ in mirror.requests] == ["/hub/tiny/config.json", "/hub" + MODEL]
    assert [path for path, _ in server.requests] == ["/tiny/config.json"]
    assert there(model, tmp_path) == FILES


def test_a_mirror_that_is_down_or_lies_does_no_harm(server: Server, model: Model, tmp_path: Path) -> None:
    with serving() as mirror:
        mirror.files[MODEL] = bytes(len(BIG))
        get(model, tmp_path, mirrors=["http://127.0.0.1:9", mirror.address])
    assert there(model, tmp_path) == FILES


def test_offline_is_told_at_once_with_what_to_copy_where(tmp_path: Path) -> None:
    with serving() as server:
        (model,) = manifest(write_manifest(tmp_path / "m.toml", server, FILES))
    began = time.monotonic()
    with pytest.raises(Offline) as caught:
        get(model, tmp_path, patience=Patience())
    assert time.monotonic() - began < 2
    message = str(caught.value)
    assert f"{server.address}{MODEL}\n    to {model.folder(tmp_path) / 'visual/model.onnx'}" in message
    assert "manage.py download_models --profile tiny" in message and "HTTPS_PROXY" in message


def test_a_network_that_swallows_everything(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan["/tiny/config.json"] = [web.silent(1.0)] * 3
    began = time.monotonic()
    with pytest.raises(Offline, match=r"no answer within 0\.2 s"):
        get(model, tmp_path, patience=Patience(answer_seconds=0.2))
    assert time.monotonic() - began < 0.9
    assert len(server.requests) == 1


def test_files_placed_by_hand_are_taken_without_a_network(tmp_path: Path) -> None:
    with serving() as server:
        (model,) = manifest(write_manifest(tmp_path / "m.toml", server, FILES))
    for name, content in FILES.items():
        path = model.folder(tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert state(model, tmp_path) == "ready"
    assert get(model, tmp_path) == []
    assert there(model, tmp_path) == FILES
    verify(model, tmp_path)
    path.write_bytes(bytes(len(BIG)))
    with pytest.raises(WeightsDamaged):
        verify(model, tmp_path)


def test_room_is_looked_at_first(
    server: Server, model: Model, unknown: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 100_000))
    with pytest.raises(DiskFull, match="MODEL_CACHE_DIR"):
        get(model, tmp_path / "a")
    assert server.requests == []
    with pytest.raises(DiskFull):
        get(unknown, tmp_path / "b")  # its size is learned from the answer
    assert not list((tmp_path / "b").rglob("*.onnx"))


def test_a_disk_that_fills_up_is_told(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(DiskFull, match="is full"):
        get(model, tmp_path)


def test_a_folder_that_cannot_be_written_is_told(model: Model, tmp_path: Path) -> None:
    (tmp_path / "clip").write_text("a file")
    with pytest.raises(DownloadFailed, match="cannot be written.*MODEL_CACHE_DIR"):
        get(model, tmp_path)


def test_two_downloads_do_not_meet(server: Server, model: Model, tmp_path: Path) -> None:
    server.plan[MODEL] = [web.stall(0.25, after=10)]
    first = threading.Thread(target=get, args=(model, tmp_path))
    first.start()
    while not server.asked(MODEL):
        time.sleep(0.01)
    with pytest.raises(DownloadFailed, match="by another process"):
        get(model, tmp_path)
    first.join()
    assert there(model, tmp_path) == FILES


# Checking --------------------------------------------------------------------------------------------------


def test_damage_is_found_named_and_repaired(server: Server, unknown: Model, tmp_path: Path) -> None:
    get(unknown, tmp_path)
    weight = unknown.folder(tmp_path) / "visual/model.onnx"
    check_file(weight)
    weight.write_bytes(bytes([BIG[0] ^ 1]) + BIG[1:])
    verify(unknown, tmp_path, content=False)
    with pytest.raises(WeightsDamaged, match=r"model\.onnx is not the file.*download_models --profile tiny"):
        verify(unknown, tmp_path)
    with pytest.raises(WeightsDamaged, match="download_models"):
        check_file(weight)
    weight.write_bytes(BIG[:1000])
    with pytest.raises(WeightsDamaged, match="has 1000 bytes, not 300000"):
        verify(unknown, tmp_path, content=False)
    assert state(unknown, tmp_path) == "unfinished"
    server.requests.clear()
    assert get(unknown, tmp_path) == ["visual/model.onnx"]
    assert there(unknown, tmp_path) == FILES
    verify(unknown, tmp_path)


def test_a_file_that_may_not_be_read_is_told(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos are then left out and looked at later; as any other error they would have failed for good."""
    get(model, tmp_path)

    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(weights, "digest", refuse)
    with pytest.raises(EngineUnavailable, match=r"model\.onnx cannot be read: Permission denied"):
        check_file(model.folder(tmp_path) / "visual/model.onnx")


def test_a_broken_record_is_told_and_made_again(model: Model, tmp_path: Path) -> None:
    get(model, tmp_path)
    (model.folder(tmp_path) / ".weights.json").write_text("{")
    with pytest.raises(WeightsDamaged, match="cannot be read"):
        verify(model, tmp_path)
    assert get(model, tmp_path) == []
    verify(model, tmp_path)


def test_a_file_without_a_record_passes(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    check_file(tmp_path / "model.onnx")


# The registry ----------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_clip(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A CLIP in the manifest, in place of the real ones."""
    folder = build_clip_folder(tmp_path / "built")
    files = {name: (folder / name).read_bytes() for name in _FILES}
    models = manifest(write_manifest(tmp_path / "clip.toml", server, files))
    monkeypatch.setattr(weights, "manifest", lambda: models)
    return models[0]


def test_a_finished_download_makes_the_embedder_live(
    server: Server, tiny_clip: Model, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    engines = Registry(EngineConfig(model_cache_dir=cache, device="cpu", threads=1))
    status = engines.status()[0]
    assert not status.live and "download_models --profile clip" in status.remedy
    server.plan["/tiny/textual/model.onnx"] = [web.status(404)]
    with pytest.raises(DownloadFailed):
        get(tiny_clip, cache)
    status = engines.status()[0]
    assert not status.live and "is not finished (3 of 6 files)" in status.reason
    assert status.remedy == "Run `manage.py download_models --profile tiny`."
    get(tiny_clip, cache)
    assert engines.text_embedder().embed_texts(["a cat"]).shape == (1, 16)
    named = build_clip_folder(tmp_path / "named")
    mine = Registry(EngineConfig(model_cache_dir=cache, clip_onnx_dir=named, device="cpu", threads=1))
    assert str(mine.engine_id("embedder")).startswith("onnx_clip/named@")


def test_damaged_weights_are_not_loaded(tiny_clip: Model, tmp_path: Path) -> None:
    get(tiny_clip, tmp_path)
    config = EngineConfig(model_cache_dir=tmp_path, device="cpu", threads=1)
    tower = tiny_clip.folder(tmp_path) / "visual/model.onnx"
    onnx_session(tower, config)
    content = tower.read_bytes()
    tower.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsDamaged, match="download_models --profile tiny"):
        onnx_session(tower, config)
    # Of the same size, so that only the checksum tells.
    for name, old, new in (("tokenizer.json", b"cat", b"dog"), ("tokenizer_config.json", b"!", b"?")):
        small = tiny_clip.folder(tmp_path) / "textual" / name
        small.write_bytes(small.read_bytes().replace(old, new))
        with pytest.raises(WeightsDamaged, match=name):
            Registry(config).text_embedder().embed_texts(["a cat"])
