"""Which way a face looks, estimated from two eyes, the nose and, where there are any, two mouth corners.

All angles are in degrees and have the same meaning for every engine: a positive yaw turns the face towards
the right edge of the picture, a positive pitch lifts it, a positive roll tilts it clockwise.

The estimate is that of a parallel projection. The nose stands out of the plane of eyes and mouth, so when the
head turns by the yaw, the nose leaves the line between eyes and mouth by ``depth · sin(yaw)`` while the eyes
come as close as ``cos(yaw)``: the quotient is a tangent. The pitch follows likewise from the height of the
nose. Lengths are in eye distances. The depth of the nose is that of the mean of 68 points in three dimensions
that InsightFace aligns with (tip 0.53, foot 0.38 before the eyes); the heights are those of the five points
that ArcFace, SFace and others align faces to (Deng et al., "ArcFace", CVPR 2019).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vision.results import Pose

#: How far the nose stands before the eyes, in eye distances.
NOSE_TIP_DEPTH = 0.53
NOSE_FOOT_DEPTH = 0.38
#: Of a face that looks ahead: from eyes to mouth in eye distances, and how far down that way the nose is.
_MOUTH_BELOW_EYES = 1.154
_NOSE_HEIGHT = 0.495

Point = npt.NDArray[np.float32]


def landmark_pose(points: npt.NDArray[np.float32]) -> Pose:
    """Pose from [5, 2] points in pixels: left eye, right eye (as seen), nose tip, mouth corners likewise."""
    left, right, nose = points[0], points[1], points[2]
    mouth = (points[3] + points[4]) / 2
    across, down, length = _axes(left, right)
    eyes = (left + right) / 2
    height = float((mouth - eyes) @ down)
    place = float((nose - eyes) @ down) / height if height > 0 else _NOSE_HEIGHT
    middle = eyes + place * (mouth - eyes)
    sideways = float((nose - middle) @ across)
    raised = (_NOSE_HEIGHT - place) * _MOUTH_BELOW_EYES
    return Pose(
        yaw=math.degrees(math.atan2(sideways, NOSE_TIP_DEPTH * length)),
        pitch=math.degrees(math.atan2(raised, NOSE_TIP_DEPTH)),
        roll=math.degrees(math.atan2(float(across[1]), float(across[0]))),
    )


def eye_nose_yaw(left_eye: Point, right_eye: Point, nose_foot: Point) -> float:
    """Yaw where there is no mouth: by how far the foot of the nose is off the middle between the eyes."""
    across, _, length = _axes(left_eye, right_eye)
    sideways = float((nose_foot - (left_eye + right_eye) / 2) @ across)
    return math.degrees(math.atan2(sideways, NOSE_FOOT_DEPTH * length))


def _axes(left: Point, right: Point) -> tuple[Point, Point, float]:
    """Unit vectors from eye to eye and from the eyes down, and the distance of the eyes in pixels."""
    line = right - left
    length = float(np.linalg.norm(line))
    across = line / length if length > 0 else np.array([1, 0], dtype=np.float32)
    return across, np.array([-across[1], across[0]], dtype=np.float32), length
