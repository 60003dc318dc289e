"""Batches that run out of memory: halved, remembered, and told apart from other failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from vision.batching import Batches, is_out_of_memory
from vision.config import EngineConfig
from vision.embedders import onnx_clip
from vision.embedders.onnx_clip import OnnxClip
from vision.errors import EngineFailed
from vision.tests.small_models import FREE, build_clip_folder


def fits(most: int, tried: list[int]) -> Callable[[Sequence[int]], np.ndarray]:
    def once(batch: Sequence[int]) -> np.ndarray:
        tried.append(len(batch))
        if len(batch) > most:
            raise MemoryError
        return np.asarray(batch, dtype=np.float32)[:, None]

    return once


def test_halves_until_it_fits_and_remembers(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []
    batches = Batches("engine")
    with caplog.at_level(logging.WARNING):
        found = batches.run(range(10), fits(3, tried))
    np.testing.assert_array_equal(found[:, 0], range(10))
    assert tried == [10, 5, 2, 2, 2, 2, 2]
    assert batches.limit == 2
    assert [record.getMessage() for record in caplog.records] == [
        "engine ran out of memory at 10 inputs; now 5",
        "engine ran out of memory at 5 inputs; now 2",
    ]
    tried.clear()
    batches.run(range(3), fits(3, tried))
    assert tried == [2, 1]


def test_no_batch_is_larger_than_allowed() -> None:
    tried: list[int] = []
    Batches("engine").run(range(10), fits(99, tried), at_most=4)
    assert tried == [4, 4, 2]


def test_one_input_that_does_not_fit_fails() -> None:
    with pytest.raises(EngineFailed, match="engine has too little memory for one input"):
        Batches("engine").run(range(3), fits(0, []))


def test_other_errors_go_through() -> None:
    def once(batch: Sequence[int]) -> np.ndarray:
        raise RuntimeError("out of memory, says something else")

    with pytest.raises(RuntimeError, match="something else"):
        Batches("engine").run(range(3), once)


@pytest.mark.parametrize(
    ("message", "memory"),
    [
        ("Failed to allocate memory for requested buffer of size 1073741824", True),
        ("CUDA failure 2: out of memory ; GPU=0", True),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED", True),
        ("Non-zero status code returned while running Add node", False),
    ],
)
def test_what_onnx_runtime_says(message: str, memory: bool) -> None:  # noqa: FBT001 - a table
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    assert is_out_of_memory(RuntimeException(message)) is memory


def test_onnx_clip_halves_a_batch_the_card_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    clip = OnnxClip(
        build_clip_folder(tmp_path / "tiny", FREE), EngineConfig(tmp_path, device="cpu", threads=1)
    )
    images = list(np.random.default_rng(2).integers(0, 256, (7, 40, 50, 3), dtype=np.uint8))
    expected = clip.embed_images(images)
    tried: list[int] = []

    class Card:
        """The session of a card that holds two pictures."""

        def __init__(self, session: object) -> None:
            self.session = session

        def __getattr__(self, name: str) -> object:
            return getattr(self.session, name)

        def run(self, names: list[str], feed: dict[str, np.ndarray]) -> object:
            (rows,) = feed.values()
            tried.append(len(rows))
            if len(rows) > 2:
                raise RuntimeException("Failed to allocate memory for requested buffer of size 77")
            return self.session.run(names, feed)  # type: ignore[attr-defined]

    load = onnx_clip.onnx_session
    monkeypatch.setattr(onnx_clip, "onnx_session", lambda *args: Card(load(*args)))
    small = OnnxClip(tmp_path / "tiny", EngineConfig(tmp_path, device="cpu", threads=1))
    np.testing.assert_allclose(small.embed_images(images), expected, atol=1e-6)
    assert tried == [7, 3, 1, 1, 1, 1, 1, 1, 1]
