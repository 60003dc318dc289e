"""The registry: what is live and why not, cheap identities, weights that come and go, threads and forks."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from vision import choice, devices
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.registry import PORTS, Registry
from vision.results import SpaceInfo
from vision.tests.small_models import build_clip_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiny"


@pytest.fixture
def engines(tmp_path: Path, folder: Path) -> Registry:
    return Registry(
        EngineConfig(model_cache_dir=tmp_path / "cache", clip_onnx_dir=folder, device="cpu", threads=2)
    )


def live(engines: Registry) -> dict[str, bool]:
    return {status.port: status.live for status in engines.status(["cat"])}


def test_status_says_why_and_what_helps(tmp_path: Path) -> None:
    embedder, tagger, *rest = Registry(EngineConfig(model_cache_dir=tmp_path)).status()
    assert [embedder.port, tagger.port, *(status.port for status in rest)] == list(PORTS)
    for status in (embedder, tagger):
        assert not status.live
        assert status.reason == "No CLIP model folder."
        assert "CLIP_ONNX_DIR" in status.remedy and "docs/models.md" in status.remedy
    assert all(status.live and status.engine for status in rest)


def test_identities_without_models(engines: Registry, folder: Path) -> None:
    assert engines.engine_id("embedder") is None
    assert engines.engine_id("tagger", ["cat"]) is None
    build_clip_folder(folder)
    identities = {port: engines.engine_id(port, ["cat"]) for port in PORTS}
    assert all(identities.values())
    assert identities["embedder"] in str(identities["tagger"])
    assert identities["tagger"] != engines.engine_id("tagger", ["cat", "dog"])
    assert identities["tagger"] == engines.tagger(["cat"]).engine_id
    assert engines.engine_id("tagger") is None
    with pytest.raises(ValueError, match="smell"):
        engines.engine_id("smell")


def test_an_engine_is_made_once(engines: Registry, folder: Path) -> None:
    build_clip_folder(folder)
    assert engines.image_embedder() is engines.text_embedder()
    assert engines.tagger(["cat"]) is engines.tagger(["cat"])
    assert engines.reader() is engines.reader()
    assert engines.faces() is engines.faces()


def test_weights_that_come_change_and_go_are_noticed(engines: Registry, folder: Path) -> None:
    assert not live(engines)["embedder"]
    with pytest.raises(EngineUnavailable, match="does not exist"):
        engines.image_embedder()
    build_clip_folder(folder)
    first = engines.image_embedder()
    assert live(engines)["embedder"] and live(engines)["tagger"]
    shutil.rmtree(folder)
    assert not live(engines)["embedder"]
    build_clip_folder(folder, preprocess={"resize_mode": "squash"})
    assert engines.image_embedder() is not first
    assert engines.image_embedder().engine_id != first.engine_id


def test_tagger_without_words_is_unavailable(engines: Registry, folder: Path) -> None:
    build_clip_folder(folder)
    with pytest.raises(EngineUnavailable, match="vocabulary is empty"):
        engines.tagger([])


def test_threads_share_one_engine(engines: Registry, folder: Path) -> None:
    build_clip_folder(folder)
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(engines.text_embedder())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 16 and len(set(map(id, got))) == 1


FORK = """
import os, sys, threading, time
from pathlib import Path
import numpy as np
from vision.config import EngineConfig
from vision.registry import Registry

folder, cache = map(Path, sys.argv[1:])
engines = Registry(EngineConfig(model_cache_dir=cache, clip_onnx_dir=folder, device="cpu", threads=2))
picture = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
before = engines.image_embedder().embed_images([picture])
held = threading.Event()

def hold():
    with engines._lock:
        held.set()
        time.sleep(60)

threading.Thread(target=hold, daemon=True).start()
held.wait()
pid = os.fork()
if pid == 0:
    same = np.allclose(engines.image_embedder().embed_images([picture]), before)
    os._exit(0 if same and engines.engine_id("embedder") else 1)
_, status = os.waitpid(pid, 0)
sys.stdout.flush()
os._exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_starts_afresh(tmp_path: Path, folder: Path) -> None:
    """The parent has loaded a model and a thread of it holds the registry's lock while it forks."""
    build_clip_folder(folder)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", FORK, str(folder), str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_hasher_needs_its_package(engines: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    assert engines.engine_id("hasher") is None
    with pytest.raises(EngineUnavailable, match="pdqhash"):
        engines.hasher()


@pytest.mark.skipif(importlib.util.find_spec("pdqhash") is None, reason="pdqhash is not installed")
def test_hasher_hashes(engines: Registry) -> None:
    (result,) = engines.hasher().hash_images([np.zeros((600, 600, 3), np.uint8)])
    assert len(result.bits) == 32


# Devices ---------------------------------------------------------------------------------------------------


def test_worker_environment_lets_waiting_threads_sleep(tmp_path: Path) -> None:
    environment = devices.worker_environment(EngineConfig(model_cache_dir=tmp_path, threads=3))
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["GOMP_SPINCOUNT"] == "0"
    assert environment["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("quota", "cpus"), [("max 100000", 8), ("150000 100000", 2), ("20000 100000", 1), ("?", 8)]
)
def test_a_containers_quota_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(quota)
    monkeypatch.setattr(devices, "_CGROUP_QUOTA", limit)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert devices.usable_cpus() == cpus
    assert devices.thread_count(EngineConfig(model_cache_dir=tmp_path)) == cpus


def test_providers(tmp_path: Path) -> None:
    cpu = EngineConfig(model_cache_dir=tmp_path, device="cpu")
    assert devices.onnx_providers(cpu) == ["CPUExecutionProvider"]
    auto = EngineConfig(model_cache_dir=tmp_path, device="auto")
    assert devices.onnx_providers(auto)[-1] == "CPUExecutionProvider"


def test_a_folder_that_cannot_be_read_is_a_reason_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with weights that another user downloaded. Root may read everything, so the refusal is put in."""

    def refuse(config: EngineConfig) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "clip"))

    monkeypatch.setattr(choice, "embedder", refuse)
    monkeypatch.setattr(choice, "faces", refuse)
    registry = Registry(EngineConfig(tmp_path))
    found = {status.port: status for status in registry.status(["cat"])}
    for port in ("embedder", "tagger", "faces"):
        assert not found[port].live
        assert found[port].reason == f"{tmp_path / 'clip'} cannot be read: Permission denied."
    assert found["hasher"].live
    assert registry.engine_id("embedder") is None
    with pytest.raises(EngineUnavailable, match="cannot be read"):
        registry.text_embedder_for(SpaceInfo("clip", "old", 3), {"embedder": "onnx_clip"})
