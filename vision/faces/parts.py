"""What the face engines share: boxes in fractions, unit vectors, what files are called by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vision.errors import EngineFailed
from vision.results import Box, DetectedFace


def fraction_box(corners: Sequence[float], width: int, height: int) -> Box:
    """Corners (left, top, right, bottom) in pixels to fractions, cut at the border of the picture."""
    left, right = np.clip([corners[0] / width, corners[2] / width], 0, 1)
    top, bottom = np.clip([corners[1] / height, corners[3] / height], 0, 1)
    return Box(x=float(left), y=float(top), width=float(right - left), height=float(bottom - top))


def fraction_points(
    points: npt.NDArray[np.floating], width: int, height: int
) -> tuple[tuple[float, float], ...]:
    """[N, 2] points in pixels to fractions."""
    return tuple((float(x / width), float(y / height)) for x, y in points)


def large_enough(corners: Sequence[float], width: int, height: int, minimum: int) -> bool:
    """Whether the shorter side of what lies inside the picture has so many pixels (and any at all)."""
    across = min(corners[2], width) - max(corners[0], 0)
    down = min(corners[3], height) - max(corners[1], 0)
    return bool(min(across, down) >= max(1, minimum))


def unit(vector: npt.NDArray[np.floating], engine: str) -> npt.NDArray[np.float32]:
    """float32 [D] of length 1. Raises EngineFailed when it has no direction."""
    flat = np.asarray(vector, dtype=np.float32).reshape(-1)
    length = float(np.linalg.norm(flat))
    if not np.isfinite(length) or length == 0:
        raise EngineFailed(f"{engine} gave a face embedding that is no vector.")
    normalised: npt.NDArray[np.float32] = flat / np.float32(length)
    return normalised


def left_to_right(faces: Iterable[DetectedFace]) -> list[DetectedFace]:
    """In the order the port promises."""
    return sorted(faces, key=lambda face: (face.box.x, face.box.y))


def fingerprint(files: Iterable[Path]) -> str:
    """Eight hex digits of names and sizes: cheap, and another set of weights has another one."""
    lines = sorted(f"{path.name} {path.stat().st_size}" for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
