"""How good a face is for comparing, in 0..1.

The geometric mean of four parts, so that one bad part cannot be hidden by the others::

    size        side of the face / 150 px (the side of the crop the embedding is made from), at most 1
    sharpness   v / (v + 100), v = variance of the Laplacian of the grey crop at 150 px
                (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000)
    detection   detector's score / 1.5, at most 1 (the HOG detector gives clear frontal faces 1.5 and more)
    frontality  1 - |2t - 1|, t = where the nose stands on the line between the eyes (0 and 1 are the eyes)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CROP_SIDE = 150
_SHARPNESS_HALF = 100.0
_CLEAR_DETECTION = 1.5
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Point = npt.NDArray[np.float32]


def face_quality(
    *, side: float, crop: npt.NDArray[np.uint8], score: float, left_eye: Point, right_eye: Point, nose: Point
) -> float:
    """``side`` in pixels of the picture; ``crop`` uint8 [150, 150, 3]; points in any one unit."""
    variance = laplacian_variance(crop)
    parts = (
        min(1.0, side / CROP_SIDE),
        variance / (variance + _SHARPNESS_HALF),
        min(1.0, max(0.0, score) / _CLEAR_DETECTION),
        frontality(left_eye, right_eye, nose),
    )
    return float(np.prod(parts) ** (1 / len(parts)))


def laplacian_variance(crop: npt.NDArray[np.uint8]) -> float:
    """Variance of the 4-neighbour Laplacian of the grey picture: high when there are fine edges."""
    grey = crop.astype(np.float32) @ _GREY
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def frontality(left_eye: Point, right_eye: Point, nose: Point) -> float:
    """1 when the nose stands midway between the eyes, 0 when it reaches an eye (a profile)."""
    across = right_eye - left_eye
    length = float(across @ across)
    if length == 0:
        return 0.0
    position = float((nose - left_eye) @ across) / length
    return max(0.0, 1 - abs(2 * position - 1))
