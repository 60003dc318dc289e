"""A RAM++ network small enough for tests: random weights in the published layout, and the files around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vision.results import RGBImage
from vision.taggers.ram_plus import CHECKPOINT, FOLDER
from vision.taggers.ram_plus_checkpoint import RamPlusShape, checkpoint_keys
from vision.taggers.ram_plus_tags import CHINESE_FILE, ENGLISH_FILE, THRESHOLD_FILE
from vision.tests.assets import ASSETS

#: Two stages, shifted windows in the first: every part of the full network is there once.
SMALL = RamPlusShape(
    image_size=32,
    window=4,
    width=16,
    depths=(2, 2),
    heads=(2, 4),
    text_width=16,
    head_width=32,
    tags=6,
    descriptions=5,
)
ENGLISH = ("beach", "boat", "cat", "kitten", "sea", "tower")
CHINESE = ("海滩", "船", "猫", "猫", "海", "塔")
THRESHOLDS = (0.5, 0.45, 0.6, 0.7, 1.0, 0.5)
GOLDEN = ASSETS / "ram-plus-golden"


def small_weights(shape: RamPlusShape = SMALL, seed: int = 7) -> dict[str, np.ndarray]:
    """Random weights by published name, spread so that every part moves the logits."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for key, size in checkpoint_keys(shape).items():
        value = rng.standard_normal(size)
        if len(size) > 1 and not key.endswith("relative_position_bias_table"):
            value *= 2 * float(np.prod(size[1:])) ** -0.5
        elif "norm" in key.lower() and key.endswith("weight"):
            value = 1 + 0.2 * value
        elif len(size) == 1:
            value *= 0.1
        weights[key] = np.asarray(value, dtype=np.float32)
    weights["label_embed"] *= 4
    weights["fc.bias"] -= 1
    weights["reweight_scale"] = np.float32(1.5).reshape(())
    return weights


def save_checkpoint(path: Path, weights: dict[str, np.ndarray], **more: Any) -> None:
    """As the published file is built: weights under ``model``, training state beside them."""
    import torch

    model = {key: torch.from_numpy(np.array(value)) for key, value in weights.items()}
    torch.save({"model": model, "epoch": 3, "optimizer": {"state": {0: torch.ones(4)}}, **more}, path)


def write_tags(folder: Path) -> None:
    """The three tag files, with the trailing blanks the published ones have."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ENGLISH_FILE).write_text("\n".join(ENGLISH) + "\n", encoding="utf-8")
    (folder / CHINESE_FILE).write_text("\n".join(f"{name} " for name in CHINESE), encoding="utf-8")
    (folder / THRESHOLD_FILE).write_text("\n".join(map(str, THRESHOLDS)) + "\n", encoding="utf-8")


def small_folder(cache: Path, weights: dict[str, np.ndarray] | None = None) -> Path:
    """A complete ``ram_plus`` folder in a model cache."""
    folder = cache / FOLDER
    write_tags(folder)
    save_checkpoint(folder / CHECKPOINT, weights or small_weights())
    return folder


def pictures(count: int) -> list[RGBImage]:
    """Noisy pictures of different sizes."""
    rng = np.random.default_rng(11)
    return [rng.integers(0, 256, (40 + 9 * i, 70 - 5 * i, 3), dtype=np.uint8) for i in range(count)]
