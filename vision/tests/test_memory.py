"""What is loaded in a process, and how full the cards are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vision import memory
from vision.config import EngineConfig
from vision.memory import Gpu, Loaded
from vision.registry import Registry
from vision.tests.small_models import FIXED, build_clip_folder


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    memory._LOADED.clear()
    yield
    memory._LOADED.clear()


def of(engine_id: str) -> dict[str, Loaded]:
    return {load.part: load for load in memory.loaded() if load.engine == engine_id}


def test_an_engine_counts_once_it_is_loaded_and_part_by_part(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    engines = Registry(EngineConfig(tmp_path / "cache", clip_onnx_dir=folder, device="cpu"))
    clip = engines.text_embedder()
    assert memory.loaded() == []
    clip.embed_texts(["a cat"])
    clip.embed_texts(["a dog"])
    (load,) = memory.loaded()
    assert (load.engine, load.part, load.details) == (clip.engine_id, "text tower", {"device": "cpu"})
    assert load.seconds >= 0 and load.ram_mib >= 0 and load.gpu_mib == 0
    engines.image_embedder().embed_images([np.zeros((8, 8, 3), dtype=np.uint8)])
    assert list(of(clip.engine_id)) == ["text tower", "image tower"]


def test_an_engine_that_was_replaced_counts_no_more(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    engines = Registry(EngineConfig(tmp_path / "cache", clip_onnx_dir=folder, device="cpu"))
    engines.text_embedder().embed_texts(["a cat"])
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    engines.text_embedder().embed_texts(["a cat"])
    assert [load.engine for load in memory.loaded()] == [engines.engine_id("embedder")]


def test_a_load_that_fails_is_not_kept() -> None:
    with pytest.raises(ValueError, match="broken"), memory.loading("x/1"):
        raise ValueError("broken")
    assert memory.loaded() == []


def test_memory_that_is_taken_is_measured() -> None:
    """In a process of its own: in that of the tests, memory that was let go before is taken again."""
    script = (
        "from vision import memory\n"
        "with memory.loading('x/1', precision='fp32') as details:\n"
        "    taken = bytearray(b'x') * (64 * memory.MEBIBYTE)\n"
        "    details['device'] = 'cpu'\n"
        "(load,) = memory.loaded()\n"
        "assert 48 <= load.ram_mib <= 128, load\n"
        "assert load.details == {'precision': 'fp32', 'device': 'cpu'}\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_forked_child_starts_with_nothing() -> None:
    """In a process of its own: that of the tests has threads."""
    script = (
        "import os\nfrom vision import memory\n"
        "with memory.loading('x/1'):\n    pass\n"
        "assert memory.loaded()\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(len(memory.loaded()))\n"
        "assert os.waitpid(child, 0)[1] == 0 and memory.loaded()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_status_says_where_an_engine_runs(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny", FIXED)
    engines = Registry(EngineConfig(tmp_path / "cache", clip_onnx_dir=folder, device="cpu"))
    details = {status.port: status.details for status in engines.status(["cat"])}
    assert details["embedder"] == details["tagger"] == details["reader"] == {"device": "cpu"}
    assert details["faces"] == {"device": "cpu"}
    assert details["hasher"] == {}


def smi(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, status: int = 0) -> None:
    """An nvidia-smi that prints these lines."""
    tool = folder / "nvidia-smi"
    printed = "".join(f"echo '{line}'\n" for line in lines)
    tool.write_text(f"#!/bin/sh\n{printed}exit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_cards_are_told_by_the_drivers_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, monkeypatch, "Some Card, 1200, 24000", "Odd, Card, 22000, 24000", "Shared, [N/A], [N/A]")
    assert memory.gpus() == [Gpu("Some Card", 1200, 24000), Gpu("Odd, Card", 22000, 24000)]
    assert [card.full for card in memory.gpus()] == [False, True]


def test_a_tool_that_fails_means_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, monkeypatch, "NVIDIA-SMI has failed", status=9)
    assert memory.gpus() == []
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert memory.gpus() == []
