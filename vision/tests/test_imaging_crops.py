"""The five crops: where they lie, and pictures of every shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vision.config import EngineConfig
from vision.embedders.onnx_clip import OnnxClip
from vision.imaging.crops import POSITIONS, crop_boxes, crops
from vision.tests.small_models import build_clip_folder


def numbered(height: int, width: int) -> np.ndarray:
    """Every pixel tells its row and its column."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows % 256, columns % 256, rows * 0], axis=2).astype(np.uint8)


def test_the_middle_and_the_four_quarters_at_half_the_sides() -> None:
    parts = dict(zip(POSITIONS, crops(numbered(40, 80)), strict=True))
    assert {part.shape for part in parts.values()} == {(20, 40, 3)}
    corners = {name: tuple(int(n) for n in part[0, 0, :2]) for name, part in parts.items()}
    assert corners == {
        "centre": (10, 20), "top left": (0, 0), "top right": (0, 40),
        "bottom left": (20, 0), "bottom right": (20, 40),
    }  # fmt: skip


def test_boxes_say_where_the_crops_lie() -> None:
    for box, part in zip(crop_boxes(), crops(numbered(40, 80)), strict=True):
        assert (box.y * 40, box.x * 80) == tuple(part[0, 0, :2])
        assert (box.height * 40, box.width * 80) == part.shape[:2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3), (3, 3), (7, 5), (31, 200)])
def test_every_shape_gives_five_crops_that_cover_it(shape: tuple[int, int], tmp_path: Path) -> None:
    image = numbered(*shape)
    parts = crops(image)
    assert len(parts) == 5
    assert all(part.size and part.flags.c_contiguous for part in parts)
    assert {part.shape[:2] for part in parts} == {(-(-shape[0] // 2), -(-shape[1] // 2))}
    seen = {tuple(pixel) for part in parts[1:] for pixel in part.reshape(-1, 3).tolist()}
    assert seen == {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny"), EngineConfig(tmp_path, device="cpu", threads=1))
    np.testing.assert_allclose(np.linalg.norm(clip.embed_images(parts), axis=1), 1, atol=1e-4)
