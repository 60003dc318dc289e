"""Faces by the model packs of InsightFace: SCRFD, ArcFace (512 numbers), and guesses of pose, age and sex.

The package ``insightface`` is an extra; its packs, ``buffalo_l`` first of all, are for non-commercial
research only, by their publisher's terms. Nothing here lets the package download: it gets a folder that
exists.

ArcFace has no published threshold of its own. Two vectors of unit length are taken for one person from a
cosine of 0.4: the middle of what the maintainers say (squared distances of 0.8 to 1.4, that is cosines of 0.6
to 0.3; https://github.com/deepinsight/insightface/issues/168, where 0.5 is found good enough).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.devices import (
    device_name,
    onnx_providers,
    provider_options,
    require_device,
    session_options,
    start_providers,
)
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
from vision.results import DetectedFace, Pose, RGBImage, SpaceInfo
from vision.weights import check_file, downloaded, manifest

ENGINE = "insightface"
DIMENSIONS = 512
#: Cosine from which two faces are taken for one person (see above).
SAME_PERSON_COSINE = 0.4
#: Long edges at which faces are searched. SCRFD is trained and published at 640 px, with anchors of 16 to
#: 512 px: 1.3 % of that edge and more. Its makers add 128 px for faces that fill the picture; we add 1280 px
#: for the small ones of a group photo: a face of 24 px in a preview of 2048 px has 15 px there, 7 at 640.
WORKING_EDGES = (128, 640, 1280)
#: The other edge is rounded up to a multiple of this: few shapes, because a graphics card prepares for each.
_STEP = 128
_BATCHES = (16, 4, 1)
#: A picture that gets thinner than a cell of the detector is not searched at that size.
_LEAST_SHORT_EDGE = 8
#: The package's own threshold is 0.5, which is a confidence of 0.3 here; clear faces have 0.8 and more.
SCORES = DetectionScale(nothing=0.35, clear=0.85)
#: What is loaded of a pack. 2d106 has more points than anybody asks for.
_TASKS = ("detection", "recognition", "landmark_3d_68", "genderage")
_REMEDY_PACKAGE = "Run `make engines EXTRAS=insightface`, or set FACE_ENGINE=auto."


def find_pack(config: EngineConfig) -> Path:
    """The folder of the pack: the configured one, the downloaded one, or one placed by hand where that lies.

    Looks at names and sizes only. Raises EngineUnavailable with reason and remedy.
    """
    if find_spec("insightface") is None:
        raise EngineUnavailable("The package insightface is not installed.", _REMEDY_PACKAGE)
    folder = config.face_model_dir or _cached(config)
    if folder is None or not any(folder.glob("*.onnx")):
        where = folder or config.model_cache_dir / ENGINE / config.face_model
        raise EngineUnavailable(
            f"There is no InsightFace pack {config.face_model}: {where} has no .onnx files.", _remedy(config)
        )
    return folder


def _cached(config: EngineConfig) -> Path | None:
    if any((model.engine, model.id) == (ENGINE, config.face_model) for model in manifest()):
        found = downloaded(ENGINE, config.model_cache_dir)
        if found is not None and found.name == config.face_model:
            return found
    folder = config.model_cache_dir / ENGINE / config.face_model
    return folder if folder.is_dir() else None


def _remedy(config: EngineConfig) -> str:
    """The command for a pack that can be fetched (it says that the licence has to be accepted)."""
    for model in manifest():
        if (model.engine, model.id) == (ENGINE, config.face_model):
            return f"Run `{model.command}` (for non-commercial use only), or set FACE_MODEL_DIR."
    folder = config.model_cache_dir / ENGINE / config.face_model
    return f"Put the pack's files into {folder}, or set FACE_MODEL_DIR."


@dataclass(frozen=True, slots=True)
class _Models:
    """The package's own objects; the last two only when the pack has them."""

    detector: Any
    recognizer: Any
    points: Any | None
    attributes: Any | None


class InsightFaces:
    """Pictures to faces with 512-d unit embeddings (``FaceAnalyzer``).

    Making one looks only at names and sizes of files; package and models are loaded at the first picture,
    behind a lock. The five points are the detector's; the pose is that of the pack's 68 points in three
    dimensions, and is estimated from the five where the pack has none. Faces under
    ``config.face_min_confidence`` or ``config.face_min_size`` are left out before the costly part; these
    settings are no part of the identity. Raises EngineUnavailable when package, pack or card is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._folder = find_pack(config)
        if config.device == "cuda":
            onnx_providers(config)
        self._config = config
        name = config.face_model if config.face_model_dir is None else self._folder.name
        self._pack = f"{name}@{fingerprint(self._folder.glob('*.onnx'))}"
        self._models: _Models | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``insightface/<pack>@<fingerprint of its files>@<working edges>+<definition of quality>``."""
        edges = "+".join(str(edge) for edge in WORKING_EDGES)
        return f"{ENGINE}/{self._pack}@{edges}+{QUALITY_VERSION}"

    @property
    def space(self) -> SpaceInfo:
        """512 dimensions; the pack with its fingerprint: other files are another space."""
        return SpaceInfo(engine=ENGINE, model=self._pack, dimensions=DIMENSIONS)

    @property
    def details(self) -> dict[str, str]:
        """The device of its sessions."""
        return {"device": device_name(onnx_providers(self._config)[0])}

    def analyze(self, images: Sequence[RGBImage]) -> list[list[DetectedFace]]:
        """One list of faces a picture, left to right. Raises EngineFailed when the models fail on one."""
        with self._lock:  # the package's objects keep scratch values
            if self._models is None:
                with loading(self.engine_id, **self.details):
                    self._models = _load(self._folder, self._config)
            return [self._analyze_one(image, self._models) for image in images]

    def _analyze_one(self, image: RGBImage, models: _Models) -> list[DetectedFace]:
        height, width = image.shape[:2]
        picture = np.ascontiguousarray(image)
        bgr = np.ascontiguousarray(picture[..., ::-1])  # the package expects what OpenCV reads
        try:
            found = [
                face
                for face in _detect(bgr, models.detector)
                if large_enough(face.bbox, width, height, self._config.face_min_size)
            ]
            _examine(bgr, found, models)
        except Exception as error:  # OpenCV's and ONNX Runtime's errors share no base class
            raise EngineFailed(f"InsightFace failed on a picture of {width}x{height}: {error}") from error
        return left_to_right(_describe(picture, face) for face in found)


def search_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Sizes (width, height) at which a picture is searched; none for a strip in which no face has room.

    The largest is for pictures that have so many pixels.
    """
    largest, smallest = max(width, height), min(width, height)
    edges = [
        edge
        for edge in WORKING_EDGES
        if (edge <= 640 or largest > 640) and edge * smallest / largest >= _LEAST_SHORT_EDGE
    ]
    return [(_padded(edge * width / largest, edge), _padded(edge * height / largest, edge)) for edge in edges]


def _padded(length: float, edge: int) -> int:
    return min(edge, max(1, -int(-length // _STEP)) * _STEP)


def _load(folder: Path, config: EngineConfig) -> _Models:
    for path in sorted(folder.glob("*.onnx")):
        check_file(path)
    providers = start_providers(config)
    try:
        from insightface.app import FaceAnalysis

        pack = FaceAnalysis(
            name=str(folder),
            allowed_modules=list(_TASKS),
            providers=providers,
            provider_options=provider_options(providers, config),
            sess_options=session_options(config),
            # One session for all sizes: otherwise each size has weights of its own.
            static_shape_sessions=False,
        )
        pack.prepare(ctx_id=0, det_thresh=SCORES.score(config.face_min_confidence), det_size=(640, 640))
    except Exception as error:  # assertions, ONNX's and ONNX Runtime's errors share no base class
        raise EngineUnavailable(
            f"InsightFace cannot load the pack {folder}: {type(error).__name__} {error}", _remedy(config)
        ) from error
    for model in pack.models.values():
        require_device(model.session, config)
    _require_parts(pack.models, folder, config)
    return _Models(
        detector=pack.det_model,
        recognizer=pack.models["recognition"],
        points=pack.models.get("landmark_3d_68"),
        attributes=pack.models.get("genderage"),
    )


def _require_parts(models: dict[str, Any], folder: Path, config: EngineConfig) -> None:
    recognizer = models.get("recognition")
    if recognizer is None:
        raise EngineUnavailable(f"{folder} has no model that recognises faces.", _remedy(config))
    numbers = recognizer.output_shape[-1]
    if isinstance(numbers, int) and numbers != DIMENSIONS:
        raise EngineUnavailable(
            f"The recogniser of {folder} gives {numbers} numbers, not {DIMENSIONS}.", _remedy(config)
        )
    if not models["detection"].use_kps:
        raise EngineUnavailable(f"The detector of {folder} gives no landmarks.", _remedy(config))


def _detect(bgr: npt.NDArray[np.uint8], detector: Any) -> list[Any]:
    """The package's Face objects with box, five points and score, in pixels of the picture."""
    from insightface.app.common import Face

    sizes = search_sizes(bgr.shape[1], bgr.shape[0])
    if not sizes:
        return []
    boxes, points = detector.detect(bgr, input_size=sizes)
    return [
        Face(bbox=box[:4], kps=kps, det_score=float(box[4]))
        for box, kps in zip(boxes, points, strict=True)
        if np.isfinite(box).all() and np.isfinite(kps).all()
    ]


def _examine(bgr: npt.NDArray[np.uint8], faces: Sequence[Any], models: _Models) -> None:
    """Give each face its embedding (in one batch where the model takes one), pose and guesses."""
    if not faces:
        return
    from insightface.utils import face_align

    side = models.recognizer.input_size[0]
    crops = [face_align.norm_crop(bgr, landmark=face.kps, image_size=side) for face in faces]
    fixed = isinstance(models.recognizer.input_shape[0], int)
    start = 0
    for count in [1] * len(crops) if fixed else batches(len(crops)):
        vectors = models.recognizer.get_feat(crops[start : start + count])
        for face, vector in zip(faces[start : start + count], vectors, strict=True):
            face.embedding = vector
        start += count
    for face in faces:
        for model in (models.points, models.attributes):
            if model is not None:
                model.get(bgr, face)


def batches(count: int) -> list[int]:
    """So many faces in batches of few sizes: a graphics card prepares for each size, which takes seconds."""
    sizes: list[int] = []
    for size in _BATCHES:
        sizes += [size] * ((count - sum(sizes)) // size)
    return sizes


def _describe(picture: RGBImage, face: Any) -> DetectedFace:
    height, width = picture.shape[:2]
    points = np.asarray(face.kps, dtype=np.float32)
    confidence = SCORES.confidence(face.det_score)
    pose = _pose(face.pose, points)
    return DetectedFace(
        box=fraction_box(face.bbox, width, height),
        confidence=confidence,
        quality=face_quality(
            picture, left_eye=points[0], right_eye=points[1], pose=pose, confidence=confidence
        ),
        embedding=unit(face.embedding, ENGINE),
        landmarks=fraction_points(points, width, height),
        pose=pose,
        age_guess=None if face.age is None else float(face.age),
        sex_guess=_sex(face.gender),
    )


def _pose(angles: npt.NDArray[np.float32] | None, points: npt.NDArray[np.float32]) -> Pose:
    """The package says pitch, yaw, roll, with the same signs as ours."""
    if angles is None or not np.isfinite(angles).all():
        return landmark_pose(points)
    pitch, yaw, roll = (float(angle) for angle in angles)
    return Pose(yaw=yaw, pitch=pitch, roll=roll)


def _sex(guess: int | None) -> Literal["female", "male", ""]:
    """The package's numbers: 0 is female, 1 is male."""
    if guess is None:
        return ""
    return "male" if guess == 1 else "female"
