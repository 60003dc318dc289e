"""YuNet and SFace through OpenCV, on tiny models in the published formats: places, order, sizes, errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from vision.config import EngineConfig
from vision.errors import EngineFailed, EngineUnavailable
from vision.faces import yunet_sface
from vision.faces.yunet_sface import DIMENSIONS, SCORES, YunetSface
from vision.ports import FaceAnalyzer
from vision.results import DetectedFace, RGBImage
from vision.tests.face_models import (
    SFACE,
    YUNET,
    build_yunet_sface,
    damage,
    expected_box,
    expected_points,
    mark,
    noise,
    record,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_yunet_sface(tmp_path_factory.mktemp("weights"))


def engine(folder: Path | None, cache: Path = Path("nowhere"), **settings: object) -> YunetSface:
    config = EngineConfig(model_cache_dir=cache, face_model_dir=folder, threads=1, **settings)  # type: ignore[arg-type]
    return YunetSface(config)


@pytest.fixture(scope="module")
def faces(folder: Path) -> YunetSface:
    return engine(folder)


def corners(face: DetectedFace, picture: RGBImage) -> list[float]:
    height, width = picture.shape[:2]
    box = face.box
    return [box.x * width, box.y * height, (box.x + box.width) * width, (box.y + box.height) * height]


def points(face: DetectedFace, picture: RGBImage) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.array(face.landmarks) * [width, height]


def test_faces_are_where_they_are_left_to_right(faces: YunetSface) -> None:
    picture = noise(320, 240)
    for x, y in ((200, 120), (80, 96)):
        mark(picture, x, y)
    (found,) = faces.analyze([picture])
    assert len(found) == 2
    for face, (x, y) in zip(found, ((80, 96), (200, 120)), strict=True):
        assert corners(face, picture) == pytest.approx(expected_box(x, y), abs=0.01)
        assert points(face, picture) == pytest.approx(np.array(expected_points(x, y)), abs=0.01)
        assert face.embedding.shape == (DIMENSIONS,) and face.embedding.dtype == np.float32
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
        assert 0 < face.quality <= 1 and 0.3 <= face.confidence <= 1
        assert face.pose is not None and abs(face.pose.yaw) < 1 and abs(face.pose.roll) < 0.1
        assert (face.age_guess, face.sex_guess) == (None, "")


def test_the_same_as_opencv_by_hand(faces: YunetSface, folder: Path) -> None:
    picture = noise(312, 200)
    mark(picture, 96, 80)
    picture[60:110, 60:140, 1] //= 2
    ((face,),) = faces.analyze([picture])
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    detector = cv2.FaceDetectorYN.create(str(folder / YUNET), "", (312, 200), 0.6)
    _, rows = detector.detect(bgr)
    recognizer = cv2.FaceRecognizerSF.create(str(folder / SFACE), "")
    aligned = recognizer.alignCrop(bgr, rows)
    theirs = recognizer.feature(aligned).reshape(-1)
    assert face.embedding == pytest.approx(theirs / np.linalg.norm(theirs), abs=1e-6)
    assert face.confidence == pytest.approx(SCORES.confidence(float(rows[0, 14])))
    session = onnxruntime.InferenceSession(folder / SFACE, providers=["CPUExecutionProvider"])
    (plain,) = session.run(None, {"data": aligned[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)})
    assert face.embedding == pytest.approx(plain[0] / np.linalg.norm(plain), abs=1e-5)


def test_red_is_red_for_both_models(faces: YunetSface) -> None:
    red, blue = noise(320, 240), noise(320, 240)
    mark(red, 96, 96)
    mark(blue, 96, 96, colour=(0, 0, 255))
    red[40:180, 40:180, 0] = 255
    mark(red, 96, 96)
    red[88:96, 88:112], red[104:112, 88:112], red[96:104, 88:96], red[96:104, 104:112] = (0, 0, 0), 0, 0, 0
    ((face,), nothing) = faces.analyze([red, blue])
    assert nothing == []
    assert face.embedding[0] > face.embedding[1] and face.embedding[0] > face.embedding[2]


def test_what_is_around_a_face_does_not_count(faces: YunetSface) -> None:
    picture = noise(320, 240)
    mark(picture, 96, 96)
    ((face,),) = faces.analyze([picture])
    elsewhere = noise(320, 240, seed=9)
    elsewhere[48:136, 56:144] = picture[48:136, 56:144]
    ((same,),) = faces.analyze([elsewhere])
    assert face.embedding @ same.embedding == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("side", [16, 64])
def test_small_and_large_faces_of_a_large_picture(faces: YunetSface, side: int) -> None:
    """16 px are a mark at the edge of 1280, 64 px at that of 320; a mark of another size is none."""
    picture = np.full((1920, 2560, 3), 90, dtype=np.uint8)
    mark(picture, 1280, 640, side)
    ((face,),) = faces.analyze([picture])
    assert corners(face, picture) == pytest.approx(expected_box(1280, 640, side), abs=1)


def test_found_at_two_sizes_is_one_face(faces: YunetSface) -> None:
    picture = np.full((960, 1280, 3), 90, dtype=np.uint8)
    mark(picture, 640, 320, 32)
    ((face,),) = faces.analyze([picture])
    assert corners(face, picture) == pytest.approx(expected_box(640, 320, 32), abs=1)


def test_settings_leave_out_small_and_unsure_faces(folder: Path) -> None:
    picture = noise(320, 240)
    mark(picture, 96, 96)
    for settings, count in (
        ({"face_min_size": 64}, 1),
        ({"face_min_size": 65}, 0),
        ({"face_min_confidence": 0.3}, 1),
    ):
        (found,) = engine(folder, **settings).analyze([picture])
        assert len(found) == count, settings
    faint = noise(320, 240)
    mark(faint, 96, 96, colour=(255, 30, 30))
    ((face,),) = engine(folder, face_min_confidence=0.0).analyze([faint])
    assert 0 < face.confidence < 1
    assert engine(folder, face_min_confidence=face.confidence + 0.05).analyze([faint]) == [[]]


def test_a_face_at_the_border_stays_inside(faces: YunetSface) -> None:
    picture = noise(320, 240)
    mark(picture, 8, 16)
    ((face,),) = faces.analyze([picture])
    assert face.box.x == 0 and face.box.y == 0
    assert corners(face, picture)[2:] == pytest.approx(expected_box(8, 16)[2:], abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (50, 50)])
def test_odd_pictures_have_no_faces(faces: YunetSface, shape: tuple[int, int]) -> None:
    assert faces.analyze([np.full((*shape, 3), 90, dtype=np.uint8)]) == [[]]


def test_identity_and_space(faces: YunetSface, folder: Path, tmp_path: Path) -> None:
    assert isinstance(faces, FaceAnalyzer)
    assert faces.engine_id.startswith("yunet_sface/") and faces.engine_id.endswith("@1280+320+q2")
    assert (faces.space.engine, faces.space.dimensions) == ("yunet_sface", 128)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    with (other / YUNET).open("ab") as stream:
        stream.write(b"\0")
    assert engine(other).engine_id != faces.engine_id
    assert engine(other).space == faces.space, "another detector does not make other vectors"
    (other / SFACE).rename(other / "face_recognition_sface_2030jan.onnx")
    assert engine(other).space != faces.space


def test_the_newest_whole_precision_file_is_taken(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "more")
    for name in ("face_detection_yunet_2026may.onnx", "face_detection_yunet_2027jan_int8bq.onnx"):
        shutil.copy(folder / YUNET, tmp_path / "more" / name)
    config = EngineConfig(model_cache_dir=tmp_path, face_model_dir=tmp_path / "more")
    assert yunet_sface.find_weights(config).detector.name == "face_detection_yunet_2026may.onnx"


# What can be missing or wrong ------------------------------------------------------------------------------


def test_without_weights_it_says_the_command(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"download_models --profile yunet-sface"):
        engine(None, tmp_path)


@pytest.mark.parametrize("missing", [YUNET, SFACE])
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(folder, tmp_path / "half")
    (tmp_path / "half" / missing).unlink()
    with pytest.raises(EngineUnavailable, match=missing[:20]):
        engine(tmp_path / "half")


def test_a_file_that_is_no_model_is_unavailable(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    (tmp_path / "broken" / YUNET).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(EngineUnavailable, match="OpenCV cannot load"):
        engine(tmp_path / "broken").analyze([noise(64, 64)])


def test_a_changed_download_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "yunet_sface" / "yunet-sface"
    shutil.copytree(folder, place)
    record(place)
    damage(place / SFACE)
    with pytest.raises(EngineUnavailable, match=r"sha256.*--profile yunet-sface"):
        engine(place).analyze([noise(64, 64)])


def test_another_number_of_dimensions_is_refused(tmp_path: Path) -> None:
    picture = noise(320, 240)
    mark(picture, 96, 96)
    with pytest.raises(EngineUnavailable, match="gives 64 numbers, not 128"):
        engine(build_yunet_sface(tmp_path, dimensions=64)).analyze([picture])


def test_a_vector_that_is_none_fails(tmp_path: Path) -> None:
    picture = noise(320, 240)
    mark(picture, 96, 96)
    with pytest.raises(EngineFailed, match="no vector"):
        engine(build_yunet_sface(tmp_path, poison=True)).analyze([picture])


def test_an_old_opencv_is_unavailable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    with pytest.raises(EngineUnavailable, match="has no YuNet"):
        engine(folder).analyze([noise(64, 64)])


def test_without_opencv_it_is_unavailable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet_sface, "find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="OpenCV"):
        engine(folder)
