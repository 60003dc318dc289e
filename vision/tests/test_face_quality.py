"""Quality and pose: the same meaning for every engine."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vision.faces.parts import fraction_box, large_enough, unit
from vision.faces.pose import NOSE_FOOT_DEPTH, eye_nose_yaw, landmark_pose
from vision.faces.quality import (
    FULL_EYE_DISTANCE,
    DetectionScale,
    face_quality,
    frontality,
    laplacian_variance,
)
from vision.faces.yunet_sface import SCORES
from vision.results import Pose

AHEAD = Pose(0.0, 0.0, 0.0)
#: A face in three dimensions, in eye distances: eyes, nose tip, mouth corners; x right, y down, z nearer.
HEAD = np.array(
    [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.495 * 1.154, 0.53], [-0.4, 1.154, 0], [0.4, 1.154, 0]], dtype=np.float64
)


def point(x: float, y: float) -> np.ndarray:
    return np.array([x, y], dtype=np.float32)


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The head's five points, [5, 2] in pixels, seen from far away."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen = HEAD @ (about_z @ about_x @ about_y).T
    return (seen[:, :2] * 60 + 200).astype(np.float32)


@pytest.mark.parametrize("angle", [-60, -25, 0, 10, 45])
def test_each_angle_is_found_again(angle: float) -> None:
    assert landmark_pose(turned(yaw=angle)) == pytest.approx((angle, 0, 0), abs=0.5)
    assert landmark_pose(turned(roll=angle)) == pytest.approx((0, 0, angle), abs=0.5)
    pose = landmark_pose(turned(pitch=angle / 2))
    assert pose == pytest.approx((0, angle / 2, 0), abs=0.5)


def test_angles_together_are_found_nearly() -> None:
    assert landmark_pose(turned(yaw=20, pitch=10, roll=-15)) == pytest.approx((20, 10, -15), abs=7)


def test_signs_are_as_documented() -> None:
    right = turned(yaw=30)
    assert right[2, 0] > (right[0, 0] + right[1, 0]) / 2, "the nose goes to the right edge"
    assert turned(pitch=20)[2, 1] < turned()[2, 1], "the nose goes up"
    tilted = turned(roll=20)
    assert tilted[1, 1] > tilted[0, 1], "the eye on the right goes down"


def test_yaw_without_a_mouth() -> None:
    left, right = point(0, 0), point(10, 0)
    assert eye_nose_yaw(left, right, point(5, 6)) == 0
    assert eye_nose_yaw(left, right, point(5 + 10 * NOSE_FOOT_DEPTH, 6)) == pytest.approx(45)
    assert eye_nose_yaw(left, right, point(2, 6)) < 0


def test_points_on_one_spot_are_no_reason_to_stop() -> None:
    assert eye_nose_yaw(point(3, 3), point(3, 3), point(3, 3)) == 0
    assert landmark_pose(np.full((5, 2), 7, dtype=np.float32)) == (0, 0, 0)
    picture = np.zeros((40, 40, 3), dtype=np.uint8)
    assert face_quality(picture, left_eye=point(3, 3), right_eye=point(3, 3), pose=AHEAD, confidence=1) == 0


def test_frontality_is_the_squared_cosine_of_both_angles() -> None:
    assert frontality(AHEAD) == 1
    assert frontality(Pose(60, 0, 0)) == pytest.approx(0.25)
    assert frontality(Pose(45, -45, 0)) == pytest.approx(0.25)
    assert frontality(Pose(0, 0, 80)) == 1, "a tilted head is turned upright before comparing"
    assert frontality(Pose(95, 0, 0)) == frontality(Pose(0, 120, 0)) == 0


def textured(side: int) -> np.ndarray:
    """The same picture in any size."""
    fine = np.random.default_rng(2).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(fine).resize((side, side), Image.Resampling.LANCZOS))


def quality(picture: np.ndarray, pose: Pose = AHEAD, confidence: float = 1.0) -> float:
    """Of a face whose eyes are at 40 % and 60 % of the width."""
    side = picture.shape[0]
    left, right = point(0.4 * side, 0.4 * side), point(0.6 * side, 0.4 * side)
    return face_quality(picture, left_eye=left, right_eye=right, pose=pose, confidence=confidence)


def test_each_part_counts() -> None:
    picture = textured(400)
    good = quality(picture)
    assert 0.8 < good <= 1
    assert quality(textured(100)) < good
    assert quality(np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(5)))) < good
    assert quality(picture, pose=Pose(50, 0, 0)) < good
    assert quality(picture, confidence=0.4) == pytest.approx(good * 0.4**0.25)
    assert quality(picture, confidence=0.0) == 0


def test_more_pixels_than_anybody_compares_do_not_count() -> None:
    assert quality(textured(600)) == pytest.approx(quality(textured(1200)), abs=0.05)
    assert FULL_EYE_DISTANCE < 0.2 * 600


def test_the_border_cuts_the_crop() -> None:
    picture = textured(200)
    for eye in (point(0, 0), point(199, 199), point(-20, 100)):
        value = face_quality(picture, left_eye=eye, right_eye=eye + point(40, 0), pose=AHEAD, confidence=1)
        assert 0 <= value <= 1
    far = point(-900, -900)
    assert face_quality(picture, left_eye=far, right_eye=far + 5, pose=AHEAD, confidence=1) == 0


def test_a_smooth_face_is_not_sharp() -> None:
    assert laplacian_variance(np.full((150, 150, 3), 7, np.uint8)) == pytest.approx(0, abs=1e-3)


def test_scores_of_a_detector_go_to_the_shared_scale_and_back() -> None:
    scale = DetectionScale(nothing=0.6, clear=0.9)
    assert [scale.confidence(score) for score in (0.1, 0.6, 0.75, 0.9, 1.0)] == pytest.approx(
        [0, 0, 0.5, 1, 1]
    )
    assert SCORES.confidence(SCORES.score(0.3)) == pytest.approx(0.3)


def test_boxes_and_vectors() -> None:
    box = fraction_box((-10, 20, 50, 300), 100, 200)
    assert (box.x, box.y, box.width, box.height) == (0, 0.1, 0.5, 0.9)
    assert large_enough((-10, 0, 14, 50), 100, 200, 14) and not large_enough((-10, 0, 13, 50), 100, 200, 14)
    assert not large_enough((120, 0, 160, 50), 100, 200, 0), "outside of the picture"
    assert unit(np.array([[3.0, 4.0]]), "x") == pytest.approx([0.6, 0.8])
