"""InsightFace itself on tiny packs in its own formats: places, order, parity with the bare package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vision import devices
from vision.config import EngineConfig
from vision.errors import EngineFailed, EngineUnavailable
from vision.faces import insight_faces
from vision.faces.insight_faces import DIMENSIONS, SCORES, InsightFaces, search_sizes
from vision.ports import FaceAnalyzer
from vision.tests.face_models import build_pack, damage, expected_box, expected_points, mark, noise, record

pytest.importorskip("insightface", reason="the package insightface (an extra) is not installed")
# The package calls a function of scikit-image that has a successor.
pytestmark = [
    pytest.mark.extra,
    pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning"),
]

YAW, PITCH, ROLL = 25.0, -10.0, 0.0


def turned_mean_face() -> np.ndarray:
    """The package's own mean face of 68 points, lowered by PITCH and then turned by YAW to the right."""
    from insightface.data import get_object

    yaw, pitch = np.radians([YAW, PITCH])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return get_object("meanshape_68.pkl") @ (about_y @ about_x).T


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_pack(tmp_path_factory.mktemp("packs") / "buffalo_l", shape=turned_mean_face())


def engine(folder: Path | None, cache: Path = Path("nowhere"), **settings: Any) -> InsightFaces:
    settings = {"device": "cpu", "threads": 1} | settings
    return InsightFaces(EngineConfig(model_cache_dir=cache, face_model_dir=folder, **settings))


@pytest.fixture(scope="module")
def faces(folder: Path) -> InsightFaces:
    return engine(folder)


def picture_of_two() -> np.ndarray:
    picture = noise(640, 512)
    for x, y in ((400, 160), (120, 240)):
        mark(picture, x, y)
    picture[132:148, 380:440, 2] //= 3
    picture[180:196, 380:440, 1] //= 3
    return picture


def bare(folder: Path, picture: np.ndarray) -> list[Any]:
    """The faces as the package gives them by itself, left to right."""
    from insightface.app import FaceAnalysis

    height, width = picture.shape[:2]
    app = FaceAnalysis(name=str(folder), providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=0, det_thresh=SCORES.score(0.3), det_size=search_sizes(width, height))
    return sorted(app.get(np.ascontiguousarray(picture[..., ::-1])), key=lambda face: face.bbox[0])


def test_faces_are_where_they_are_left_to_right(faces: InsightFaces) -> None:
    picture = noise(640, 512)
    for x, y in ((400, 160), (120, 240)):
        mark(picture, x, y)
    (found,) = faces.analyze([picture])
    assert len(found) == 2
    for face, (x, y) in zip(found, ((120, 240), (400, 160)), strict=True):
        left, top, right, bottom = expected_box(x, y)
        box = (face.box.x * 640, face.box.y * 512, face.box.width * 640, face.box.height * 512)
        assert box == pytest.approx((left, top, right - left, bottom - top), abs=0.01)
        points = np.array(face.landmarks) * [640, 512]
        assert points == pytest.approx(np.array(expected_points(x, y)), abs=0.01)
        assert face.embedding.shape == (DIMENSIONS,) and face.embedding.dtype == np.float32
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
        assert 0 < face.quality <= 1 and 0.3 <= face.confidence <= 1


def test_the_same_as_the_bare_package(faces: InsightFaces, folder: Path) -> None:
    picture = picture_of_two()
    (ours,) = faces.analyze([picture])
    theirs = bare(folder, picture)
    assert len(ours) == len(theirs) == 2
    for our, their in zip(ours, theirs, strict=True):
        box = np.array([our.box.x, our.box.y, our.box.x + our.box.width, our.box.y + our.box.height])
        assert box * [640, 512, 640, 512] == pytest.approx(their.bbox, abs=1e-3)
        assert np.array(our.landmarks) * [640, 512] == pytest.approx(their.kps, abs=1e-3)
        assert our.embedding == pytest.approx(their.normed_embedding, abs=1e-6)
        assert our.confidence == pytest.approx(SCORES.confidence(float(their.det_score)), abs=1e-6)
        assert our.pose is not None
        assert (our.pose.pitch, our.pose.yaw, our.pose.roll) == pytest.approx(tuple(their.pose), abs=1e-4)
        assert our.age_guess == their.age
        assert our.sex_guess == {"M": "male", "F": "female"}[their.sex]


def test_pose_has_the_signs_of_the_port(faces: InsightFaces) -> None:
    (found,) = faces.analyze([picture_of_two()])
    for face in found:
        assert face.pose == pytest.approx((YAW, PITCH, ROLL), abs=0.2)


def test_red_is_red_for_all_models(faces: InsightFaces) -> None:
    """A blue mark is no face; a red face is red for the recogniser, male for this model, and 0 years old."""
    red, blue = np.zeros((512, 640, 3), np.uint8), np.zeros((512, 640, 3), np.uint8)
    mark(red, 320, 240)
    mark(blue, 320, 240, colour=(0, 0, 255))
    red[200:232, 280:368, 0] = red[256:288, 280:368, 0] = 120
    ((face,), nothing) = faces.analyze([red, blue])
    assert nothing == []
    assert face.embedding[0] > face.embedding[1] and face.embedding[0] > face.embedding[2]
    assert (face.sex_guess, face.age_guess) == ("male", 0)
    green = red.copy()
    green[..., 1], green[..., 2] = red[..., 0], 100
    green[232:256, 312:336, 1:] = 0
    ((other,),) = faces.analyze([green])
    assert other.age_guess is not None and other.age_guess > 0
    assert other.sex_guess == "female"


def test_a_pack_of_two_models_is_enough(tmp_path: Path) -> None:
    pack = build_pack(tmp_path / "small", attributes=False)
    (found,) = engine(pack).analyze([picture_of_two()])
    assert len(found) == 2
    for face in found:
        assert (face.age_guess, face.sex_guess) == (None, "")
        assert face.pose is not None and abs(face.pose.yaw) < 1, "estimated from the five points"


def test_a_recogniser_of_one_face_at_a_time(tmp_path: Path, faces: InsightFaces) -> None:
    fixed = engine(build_pack(tmp_path / "fixed", batch=1))
    (ours,), (theirs,) = fixed.analyze([picture_of_two()]), faces.analyze([picture_of_two()])
    assert len(ours) == 2
    for one, other in zip(ours, theirs, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


@pytest.mark.parametrize("side", [16, 32])
def test_small_and_large_faces_of_a_large_picture(faces: InsightFaces, side: int) -> None:
    picture = np.full((1920, 2560, 3), 90, dtype=np.uint8)
    mark(picture, 1280, 640, side)
    ((face,),) = faces.analyze([picture])
    left, top, right, bottom = expected_box(1280, 640, side)
    box = (face.box.x * 2560, face.box.y * 1920, face.box.width * 2560, face.box.height * 1920)
    assert box == pytest.approx((left, top, right - left, bottom - top), abs=4)


def test_settings_leave_out_small_and_unsure_faces(folder: Path) -> None:
    picture = noise(640, 512)
    mark(picture, 120, 240)
    for size, count in ((64, 1), (66, 0)):
        (found,) = engine(folder, face_min_size=size).analyze([picture])
        assert len(found) == count
    faint = noise(640, 512)
    mark(faint, 120, 240, colour=(255, 40, 40))
    ((face,),) = engine(folder, face_min_confidence=0.0).analyze([faint])
    assert 0 < face.confidence < 1
    assert engine(folder, face_min_confidence=face.confidence + 0.05).analyze([faint]) == [[]]


@pytest.mark.parametrize("shape", [(3, 2000), (2000, 3), (50, 50)])
def test_odd_pictures_have_no_faces(faces: InsightFaces, shape: tuple[int, int]) -> None:
    assert faces.analyze([np.full((*shape, 3), 90, dtype=np.uint8)]) == [[]]


def test_identity_and_port(faces: InsightFaces) -> None:
    assert isinstance(faces, FaceAnalyzer)
    assert faces.engine_id.startswith("insightface/buffalo_l@")
    assert (faces.space.engine, faces.space.dimensions) == ("insightface", 512)


def test_a_pack_without_a_part_says_which(tmp_path: Path) -> None:
    cases = {
        "no model that recognises": {"recognizer": False},
        "gives no landmarks": {"landmarks": False},
        "gives 128 numbers, not 512": {"dimensions": 128},
    }
    for number, (message, parts) in enumerate(cases.items()):
        pack = build_pack(tmp_path / str(number), **parts)  # type: ignore[arg-type]
        with pytest.raises(EngineUnavailable, match=message):
            engine(pack).analyze([noise(64, 64)])


def test_a_pack_without_a_detector_or_with_a_broken_file_is_unavailable(tmp_path: Path) -> None:
    pack = build_pack(tmp_path / "pack")
    (pack / "det_10g.onnx").unlink()
    with pytest.raises(EngineUnavailable, match="cannot load the pack"):
        engine(pack).analyze([noise(64, 64)])
    (pack / "det_10g.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(EngineUnavailable, match="cannot load the pack"):
        engine(pack).analyze([noise(64, 64)])


def test_a_changed_download_is_refused(tmp_path: Path) -> None:
    pack = build_pack(tmp_path / "insightface" / "buffalo_l")
    record(pack)
    damage(pack / "genderage.onnx")
    with pytest.raises(EngineUnavailable, match=r"genderage.*sha256.*--accept-licence"):
        engine(pack).analyze([noise(64, 64)])


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [1, 1, 1]), (22, [16, 4, 1, 1])])
def test_faces_come_in_batches_of_few_sizes(count: int, sizes: list[int]) -> None:
    assert insight_faces.batches(count) == sizes


def test_a_picture_the_models_fail_on_is_named(faces: InsightFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(insight_faces, "_detect", stop)
    with pytest.raises(EngineFailed, match="on a picture of 64x32"):
        faces.analyze([noise(64, 32)])


def test_the_card_is_needed_when_it_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    if devices.CUDA_PROVIDER not in onnxruntime.get_available_providers():
        with pytest.raises(EngineUnavailable, match="DEVICE=cuda"):
            engine(folder, device="cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [devices.CUDA_PROVIDER])
    monkeypatch.setattr(insight_faces, "start_providers", lambda _: [devices.CPU_PROVIDER])
    with pytest.raises(EngineUnavailable, match="could not start"):
        engine(folder, device="cuda").analyze([noise(64, 64)])


def test_nothing_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from insightface.utils import storage

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the package went to the network")

    monkeypatch.setattr(storage, "download_file", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(EngineUnavailable, match="buffalo_l"):
        engine(None, tmp_path)
    pack = build_pack(tmp_path / "insightface" / "mine")
    assert engine(None, tmp_path, face_model="mine").analyze([noise(64, 64)]) == [[]]
    assert pack.is_dir() and not (tmp_path / "home").exists()
