"""Lines of text as a reader finds them, before they become a page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.results import Box

#: PP-OCR turns a line on its side before it reads it when it is this much taller than wide.
TALL = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line: its text, and its four corners as fractions [4, 2], clockwise from the top left.

    ``tall``: it stands in the picture as a column. ``upside_down``: what the orientation model said about the
    line (of a tall one: after a quarter turn to the left); None when it said nothing for sure.
    """

    text: str
    confidence: float
    corners: npt.NDArray[np.float64]
    tall: bool
    upside_down: bool | None = None

    @property
    def box(self) -> Box:
        """The upright box around the corners."""
        x, y = (float(value) for value in np.clip(self.corners.min(axis=0), 0, 1))
        right, bottom = (float(value) for value in np.clip(self.corners.max(axis=0), 0, 1))
        return Box(x=x, y=y, width=right - x, height=bottom - y)


def line(
    text: str, confidence: float, corners: npt.ArrayLike, size: tuple[int, int], *, upside_down: bool | None
) -> Line:
    """A Line from corners in pixels [4, 2] of a picture of ``size`` (width, height)."""
    points = np.asarray(corners, dtype=np.float64).reshape(4, 2)
    top_left, top_right, bottom_right, bottom_left = points
    width = max(_distance(top_left, top_right), _distance(bottom_left, bottom_right))
    height = max(_distance(top_left, bottom_left), _distance(top_right, bottom_right))
    return Line(
        text=text.strip(),
        confidence=float(confidence),
        corners=points / np.asarray(size, dtype=np.float64),
        tall=height >= TALL * max(width, 1.0),
        upside_down=upside_down,
    )


def _distance(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(a - b))
