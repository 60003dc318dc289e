"""Faces by dlib: HOG detector, five landmarks, 128 numbers a face. Weights from face_recognition_models.

dlib's own rule is "the same person when the vectors are less than 0.6 apart" (Euclidean, vectors as they
come; http://dlib.net/face_recognition.py.html). Their length is nearly constant (measured 1.32 to 1.51, about
1.40), and we store unit vectors, so distance d becomes cosine ``1 - d² / (2 · 1.40²)``: 0.6 is a cosine of
0.908, a strict 0.5 is 0.936.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vision.config import EngineConfig
from vision.errors import EngineFailed, EngineUnavailable
from vision.faces.parts import fraction_box, fraction_points, large_enough, left_to_right, unit
from vision.faces.pose import eye_nose_yaw
from vision.faces.quality import QUALITY_VERSION, DetectionScale, face_quality
from vision.memory import loading
from vision.results import DetectedFace, Pose, RGBImage, SpaceInfo

ENGINE = "dlib"
MODEL = "dlib_face_recognition_resnet_model_v1"
DIMENSIONS = 128
#: Cosine of unit vectors that equals dlib's distance of 0.6 (see above).
SAME_PERSON_COSINE = 0.908
#: Scores of the HOG detector: false faces lie around 0.1, clear frontal ones at 1 to 2.5 (measured).
SCORES = DetectionScale(nothing=0.0, clear=1.0)
#: Long edge at which faces are searched. The detector sees faces of 80 px and more: 4 % of this edge.
#: Measured 0.25 CPU-seconds a picture; 1600 px halve that and lose faces under 5 %, which group photos have.
WORKING_EDGE = 2048
#: Small pictures are enlarged at most so many times.
MOST_ENLARGED = 2.0
_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_REMEDY = "Run `make install` to get the packages dlib-bin and face_recognition_models."


@dataclass(frozen=True, slots=True)
class _Models:
    detector: Any
    landmarks: Any
    recognizer: Any


class DlibFaces:
    """Pictures to faces with 128-d unit embeddings (``FaceAnalyzer``).

    Faces are searched at WORKING_EDGE, landmarks and embedding are taken from the picture as given. Faces
    under ``config.face_min_confidence`` or ``config.face_min_size`` are left out; these settings are no part
    of the engine's identity: a change counts for what is analysed from then on. dlib's five points have no
    mouth, so there is no pose; the quality takes the yaw from eyes and nose. Runs on the processor.
    Raises EngineUnavailable when dlib or its weights are missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._landmarks_path, self._recognizer_path = _weights()
        self._config = config
        self._models: _Models | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``dlib/<major>-hog@<working edge>+<definition of quality>``."""
        return f"{ENGINE}/{_package_version()}-hog@{WORKING_EDGE}+{QUALITY_VERSION}"

    @property
    def space(self) -> SpaceInfo:
        """128 dimensions."""
        return SpaceInfo(engine=ENGINE, model=MODEL, dimensions=DIMENSIONS)

    @property
    def details(self) -> dict[str, str]:
        """Always the processor: the wheels of dlib know no card."""
        return {"device": "cpu"}

    def analyze(self, images: Sequence[RGBImage]) -> list[list[DetectedFace]]:
        """One list of faces a picture, left to right. Raises EngineFailed when dlib fails on one."""
        with self._lock:  # dlib's objects keep scratch memory
            if self._models is None:
                with loading(self.engine_id, **self.details):
                    self._models = _load(self._landmarks_path, self._recognizer_path)
            return [self._analyze_one(image, self._models) for image in images]

    def _analyze_one(self, image: RGBImage, models: _Models) -> list[DetectedFace]:
        picture = np.ascontiguousarray(image)
        height, width = image.shape[:2]
        minimum = self._config.face_min_size
        try:
            found = _detect(picture, models.detector, SCORES.score(self._config.face_min_confidence))
            return left_to_right(
                _describe(picture, rectangle, score, models)
                for rectangle, score in found
                if large_enough(_corners(rectangle), width, height, minimum)
            )
        except RuntimeError as error:
            raise EngineFailed(f"dlib failed on a picture of {width}x{height}: {error}") from error


@cache
def _package_version() -> str:
    """The major version, of the binary package or of one built here."""
    try:
        return version("dlib-bin").split(".")[0]
    except PackageNotFoundError:
        return version("dlib").split(".")[0]


def _weights() -> tuple[Path, Path]:
    """Paths of the landmark and the recognition weights.

    The package that holds them cannot be imported (it asks for pkg_resources, which setuptools has dropped),
    so it is only located.
    """
    if find_spec("dlib") is None:
        raise EngineUnavailable("The package dlib is not installed.", _REMEDY)
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise EngineUnavailable("The package face_recognition_models is not installed.", _REMEDY)
    folder = Path(spec.submodule_search_locations[0]) / "models"
    paths = folder / _LANDMARKS, folder / f"{MODEL}.dat"
    for path in paths:
        if not path.is_file():
            raise EngineUnavailable(f"dlib's weights {path} are missing.", _REMEDY)
    return paths


def _load(landmarks: Path, recognizer: Path) -> _Models:
    import dlib

    try:
        return _Models(
            detector=dlib.get_frontal_face_detector(),
            landmarks=dlib.shape_predictor(str(landmarks)),
            recognizer=dlib.face_recognition_model_v1(str(recognizer)),
        )
    except RuntimeError as error:
        raise EngineUnavailable(
            f"dlib cannot load its weights in {landmarks.parent}: {error}", _REMEDY
        ) from error


def _detect(picture: RGBImage, detector: Any, minimum: float) -> list[tuple[Any, float]]:
    """dlib rectangles in pixels of the picture, with the detector's scores (about 0 to 3)."""
    import dlib

    height, width = picture.shape[:2]
    scale = min(MOST_ENLARGED, WORKING_EDGE / max(height, width))
    searched = picture
    if scale != 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        searched = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    rectangles, scores, _ = detector.run(searched, 0, minimum)
    corners = ((r.left(), r.top(), r.right(), r.bottom()) for r in rectangles)
    scaled = (dlib.rectangle(*(round(value / scale) for value in values)) for values in corners)
    return list(zip(scaled, (float(score) for score in scores), strict=True))


def _describe(picture: RGBImage, rectangle: Any, score: float, models: _Models) -> DetectedFace:
    height, width = picture.shape[:2]
    shape = models.landmarks(picture, rectangle)
    points = np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float32)
    # dlib's five points: the corners of one eye, the corners of the other, the foot of the nose.
    eye, other, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    # Their order is by the face, not by the picture: the first eye is the one on the right.
    left, right = (eye, other) if eye[0] <= other[0] else (other, eye)
    confidence = SCORES.confidence(score)
    yaw = eye_nose_yaw(left, right, nose)
    return DetectedFace(
        box=fraction_box(_corners(rectangle), width, height),
        confidence=confidence,
        quality=face_quality(
            picture, left_eye=left, right_eye=right, pose=Pose(yaw, 0.0, 0.0), confidence=confidence
        ),
        embedding=unit(np.array(models.recognizer.compute_face_descriptor(picture, shape)), ENGINE),
        landmarks=fraction_points(points, width, height),
    )


def _corners(rectangle: Any) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels (the detector reaches over the border)."""
    return rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1
