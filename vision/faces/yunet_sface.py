"""Faces by YuNet (detection, five points) and SFace (128 numbers), both of OpenCV's model zoo, free to use.

Both run in OpenCV itself, on the processor: the published YuNet file has a fixed input of 640 x 640, which
OpenCV takes as a proposal and ONNX Runtime as a law. The wheels of OpenCV know no graphics card; YuNet is so
small (76,000 weights; Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) that none is missed,
and ``config.device`` has no say.

OpenCV publishes for SFace: the same person from a cosine of 0.363 (LFW 99.60 %; other sets 0.21 to 0.34;
https://docs.opencv.org/5.x/d0/dd4/tutorial_dnn_face.html).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.devices import thread_count
from vision.errors import EngineFailed, EngineUnavailable
from vision.faces.parts import (
    fingerprint,
    fraction_box,
    fraction_points,
    large_enough,
    left_to_right,
    unit,
)
from vision.faces.pose import landmark_pose
from vision.faces.quality import QUALITY_VERSION, DetectionScale, face_quality
from vision.memory import loading
from vision.results import DetectedFace, RGBImage, SpaceInfo
from vision.weights import check_file, downloaded

ENGINE = "yunet_sface"
DIMENSIONS = 128
#: Cosine from which OpenCV takes two faces for one person (see above).
SAME_PERSON_COSINE = 0.363
#: Long edges at which faces are searched, both of them. YuNet finds faces of 10 to 300 px, the sizes it was
#: trained with (OpenCV's model zoo). At 1280 px these are 0.8 % to 23 % of the long edge, at 320 px 3 % to
#: 94 %: together everything from a face of 16 px in a preview of 2048 px to one that fills the picture. The
#: second look costs a sixteenth of the first.
WORKING_EDGES = (1280, 320)
#: OpenCV keeps faces from 0.9 unless told otherwise, the wrapper in its model zoo from 0.6.
SCORES = DetectionScale(nothing=0.6, clear=0.9)
_SAME_FACE_OVERLAP = 0.3
_MOST_FACES = 5000
_DETECTOR = "face_detection_yunet_*.onnx"
_RECOGNIZER = "face_recognition_sface_*.onnx"
_REMEDY = (
    "Run `manage.py download_models --profile yunet-sface`, or set FACE_MODEL_DIR to a folder with both."
)
_REMEDY_OPENCV = "Run `make install`: OpenCV 4.5.4 or newer comes with rapidocr."


@dataclass(frozen=True, slots=True)
class Weights:
    """The two files."""

    detector: Path
    recognizer: Path


def find_weights(config: EngineConfig) -> Weights:
    """Where the files lie: the configured folder, otherwise the downloaded one. Reads no content.

    Raises EngineUnavailable with reason and remedy.
    """
    folder = config.face_model_dir or downloaded(ENGINE, config.model_cache_dir)
    if folder is None:
        raise EngineUnavailable("The weights of YuNet and SFace are not there.", _REMEDY)
    return Weights(_only(folder, _DETECTOR), _only(folder, _RECOGNIZER))


def belongs(folder: Path) -> bool:
    """Whether what lies in the folder is for this engine."""
    return any(folder.glob(_DETECTOR)) or any(folder.glob(_RECOGNIZER))


def _only(folder: Path, pattern: str) -> Path:
    """The newest file of that name that is not quantised to 8 bits (they differ in what they find)."""
    names = sorted(path for path in folder.glob(pattern) if "int8" not in path.name)
    if not names:
        raise EngineUnavailable(f"{folder} has no file {pattern}.", _REMEDY)
    return names[-1]


@dataclass(frozen=True, slots=True)
class _Models:
    detector: Any
    recognizer: Any


class YunetSface:
    """Pictures to faces with 128-d unit embeddings (``FaceAnalyzer``).

    Making one looks only at names and sizes of files; OpenCV loads them at the first picture, behind a lock.
    Faces under ``config.face_min_confidence`` or ``config.face_min_size`` are left out; these settings are no
    part of the identity. Raises EngineUnavailable when OpenCV or a file is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        if find_spec("cv2") is None:
            raise EngineUnavailable("OpenCV (cv2) is not installed.", _REMEDY_OPENCV)
        self._weights = find_weights(config)
        self._config = config
        both = (self._weights.detector, self._weights.recognizer)
        edges = "+".join(str(edge) for edge in WORKING_EDGES)
        self._id = f"{ENGINE}/{fingerprint(both)}@{edges}+{QUALITY_VERSION}"
        recognizer = self._weights.recognizer
        self._space = SpaceInfo(ENGINE, f"{recognizer.stem}@{fingerprint([recognizer])}", DIMENSIONS)
        self._models: _Models | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``yunet_sface/<fingerprint of both files>@<working edges>+<definition of quality>``."""
        return self._id

    @property
    def space(self) -> SpaceInfo:
        """128 dimensions, named by the recogniser alone: another detector finds faces of the same space."""
        return self._space

    @property
    def details(self) -> dict[str, str]:
        """OpenCV computes on the processor."""
        return {"device": "cpu"}

    def analyze(self, images: Sequence[RGBImage]) -> list[list[DetectedFace]]:
        """One list of faces a picture, left to right. Raises EngineFailed when OpenCV fails on one."""
        with self._lock:  # the detector keeps the size of its last picture
            if self._models is None:
                with loading(self.engine_id, **self.details):
                    self._models = _load(self._weights, self._config)
            return [self._analyze_one(image, self._models) for image in images]

    def _analyze_one(self, image: RGBImage, models: _Models) -> list[DetectedFace]:
        import cv2

        height, width = image.shape[:2]
        picture = np.ascontiguousarray(image)
        bgr = np.ascontiguousarray(picture[..., ::-1])  # OpenCV's order, for both models
        try:
            rows = [
                row
                for row in _detect(bgr, models.detector)
                if large_enough(_corners(row), width, height, self._config.face_min_size)
            ]
            return left_to_right(_describe(picture, bgr, row, models.recognizer) for row in rows)
        except cv2.error as error:
            raise EngineFailed(f"OpenCV failed on a picture of {width}x{height}: {error}") from error


def _load(weights: Weights, config: EngineConfig) -> _Models:
    import cv2

    if not hasattr(cv2, "FaceDetectorYN") or not hasattr(cv2, "FaceRecognizerSF"):
        raise EngineUnavailable(f"OpenCV {cv2.__version__} has no YuNet and SFace.", _REMEDY_OPENCV)
    for path in (weights.detector, weights.recognizer):
        check_file(path)
    # OpenCV has one pool of threads a process; every engine here asks for the same number.
    cv2.setNumThreads(thread_count(config))
    minimum = SCORES.score(config.face_min_confidence)
    size = (WORKING_EDGES[0], WORKING_EDGES[0])
    try:
        detector = cv2.FaceDetectorYN.create(
            str(weights.detector), "", size, minimum, _SAME_FACE_OVERLAP, _MOST_FACES
        )
        recognizer = cv2.FaceRecognizerSF.create(str(weights.recognizer), "")
    except cv2.error as error:
        reason = f"OpenCV cannot load {weights.detector} and {weights.recognizer}: {error}"
        raise EngineUnavailable(reason, _REMEDY) from error
    return _Models(detector, recognizer)


def _detect(bgr: npt.NDArray[np.uint8], detector: Any) -> npt.NDArray[np.float32]:
    """[N, 15] in pixels of the picture: left, top, width, height, five points, score.

    Each working edge gives its faces; what is found twice is kept once, with the better score.
    """
    import cv2

    height, width = bgr.shape[:2]
    found = [np.zeros((0, 15), dtype=np.float32)]
    for scale in sorted({min(1.0, edge / max(height, width)) for edge in WORKING_EDGES}):
        size = max(1, round(width * scale)), max(1, round(height * scale))
        searched = bgr if scale == 1.0 else cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        detector.setInputSize(size)
        _, rows = detector.detect(searched)
        if rows is not None:
            rows[:, 0:14:2] *= width / size[0]
            rows[:, 1:14:2] *= height / size[1]
            found.append(rows)
    faces = np.concatenate(found)
    faces = faces[np.isfinite(faces).all(axis=1)]
    if len(faces) == 0:
        return faces
    kept = cv2.dnn.NMSBoxes(faces[:, :4].tolist(), faces[:, 14].tolist(), 0.0, _SAME_FACE_OVERLAP)
    best: npt.NDArray[np.float32] = faces[np.asarray(kept, dtype=np.int64).reshape(-1)]
    return best


def _describe(
    picture: RGBImage, bgr: npt.NDArray[np.uint8], row: npt.NDArray[np.float32], recognizer: Any
) -> DetectedFace:
    height, width = picture.shape[:2]
    # The eyes, the nose and the corners of the mouth, each pair from left to right in the picture.
    points = row[4:14].reshape(5, 2)
    pose = landmark_pose(points)
    confidence = SCORES.confidence(float(row[14]))
    vector = recognizer.feature(recognizer.alignCrop(bgr, row[np.newaxis]))
    if vector.size != DIMENSIONS:
        raise EngineUnavailable(f"The recogniser gives {vector.size} numbers, not {DIMENSIONS}.", _REMEDY)
    return DetectedFace(
        box=fraction_box(_corners(row), width, height),
        confidence=confidence,
        quality=face_quality(
            picture, left_eye=points[0], right_eye=points[1], pose=pose, confidence=confidence
        ),
        embedding=unit(vector, ENGINE),
        landmarks=fraction_points(points, width, height),
        pose=pose,
    )


def _corners(row: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels."""
    left, top, width, height = (float(value) for value in row[:4])
    return left, top, left + width, top + height
