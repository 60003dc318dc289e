"""How good a face is for comparing, in 0..1, with the same meaning for every engine.

The geometric mean of four parts, so that one bad part cannot be hidden by the others::

    size        distance of the eyes / 53 px, at most 1. The distance is what it would be if the face looked
                ahead (divided by cos(yaw)), as in ISO/IEC 29794-5, "inter-eye distance". 53 px is what the
                eyes are apart in the crop that dlib compares (measured; 35 px in those of ArcFace and SFace):
                more pixels are thrown away.
    sharpness   v / (v + 100), v = variance of the Laplacian of the grey face at 150 px
                (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000)
    pose        cos²(yaw) · cos²(pitch): ISO/IEC 29794-5, "head pose", as its reference implementation OFIQ
                has it. The roll does not count: faces are turned upright before they are compared.
    detection   the detector's score on the scale that all engines share (``DetectionScale``)

The part of the picture whose sharpness counts is cut out by the eyes alone, because boxes of different
detectors differ: dlib's ends at the brows, others at the hair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.results import Pose, RGBImage

#: Goes into the identity of every face engine: another definition makes what is stored stale.
QUALITY_VERSION = "q2"
CROP_SIDE = 150
#: Distance of the eyes in that crop (pixels).
FULL_EYE_DISTANCE = 53.0
_SHARPNESS_HALF = 100.0
#: A face seen from the side has no eye distance to speak of; it is not taken for more than 4 times wider.
_MOST_TURNED = 0.25
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Point = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DetectionScale:
    """A detector's scores and the confidence that all engines share: 0 at ``nothing``, 1 at ``clear``."""

    nothing: float
    clear: float

    def confidence(self, score: float) -> float:
        """The detector's score as a confidence in 0..1."""
        return min(1.0, max(0.0, (score - self.nothing) / (self.clear - self.nothing)))

    def score(self, confidence: float) -> float:
        """The detector's score that has this confidence."""
        return self.nothing + confidence * (self.clear - self.nothing)


def face_quality(
    picture: RGBImage, *, left_eye: Point, right_eye: Point, pose: Pose, confidence: float
) -> float:
    """The mean of the four parts. Eyes (as seen in the picture) in pixels, confidence on the shared scale."""
    distance = float(np.linalg.norm(right_eye - left_eye))
    distance /= max(_MOST_TURNED, math.cos(math.radians(pose.yaw)))
    if distance <= 0:
        return 0.0
    variance = laplacian_variance(_crop(picture, left_eye, right_eye, distance))
    parts = (
        min(1.0, distance / FULL_EYE_DISTANCE),
        variance / (variance + _SHARPNESS_HALF),
        frontality(pose),
        confidence,
    )
    return float(np.prod(parts) ** (1 / len(parts)))


def frontality(pose: Pose) -> float:
    """1 when the face looks ahead, 0 when it is seen from the side."""
    if abs(pose.yaw) >= 90 or abs(pose.pitch) >= 90:
        return 0.0
    return (math.cos(math.radians(pose.yaw)) * math.cos(math.radians(pose.pitch))) ** 2


def laplacian_variance(crop: npt.NDArray[np.uint8]) -> float:
    """Variance of the 4-neighbour Laplacian of the grey picture: high when there are fine edges."""
    grey = crop.astype(np.float32) @ _GREY
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


def _crop(picture: RGBImage, left: Point, right: Point, distance: float) -> npt.NDArray[np.uint8]:
    """uint8 [150, 150, 3]: the face, half an eye distance below the eyes in its middle.

    It is not turned: the Laplacian is nearly the same in all directions. Made smaller, it is averaged, so
    that a large face has no false edges.
    """
    line = (right - left) / max(1e-6, float(np.linalg.norm(right - left)))
    down = np.array([-line[1], line[0]], dtype=np.float32)
    middle = (left + right) / 2 + down * np.float32(distance / 2)
    half = distance * CROP_SIDE / FULL_EYE_DISTANCE / 2
    height, width = picture.shape[:2]
    x0, x1 = np.clip([middle[0] - half, middle[0] + half], 0, width)
    y0, y1 = np.clip([middle[1] - half, middle[1] + half], 0, height)
    if x1 - x0 < 1 or y1 - y0 < 1:
        return np.zeros((CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    side = CROP_SIDE, CROP_SIDE
    box = float(x0), float(y0), float(x1), float(y1)
    return np.asarray(Image.fromarray(picture).resize(side, Image.Resampling.BILINEAR, box=box))
