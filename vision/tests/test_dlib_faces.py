"""Faces: who is who in real portraits, places, quality, odd pictures, missing weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.faces import dlib_faces
from vision.faces.dlib_faces import DIMENSIONS, SAME_PERSON_COSINE, DlibFaces
from vision.ports import FaceAnalyzer
from vision.results import RGBImage
from vision.tests.assets import need_assets, photo


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> DlibFaces:
    return DlibFaces(EngineConfig(model_cache_dir=tmp_path_factory.mktemp("cache"), threads=1))


def portrait(name: str) -> RGBImage:
    return photo(f"faces_us_gov_portraits/{name}.jpg", 900)


@need_assets()
@pytest.mark.assets
def test_one_person_is_closer_than_two(faces: DlibFaces) -> None:
    found = faces.analyze([portrait(name) for name in ("obama", "obama2", "biden")])
    assert [len(row) for row in found] == [1, 1, 1]
    first, second, other = (row[0].embedding for row in found)
    assert first @ second > SAME_PERSON_COSINE
    assert first @ other < SAME_PERSON_COSINE and second @ other < SAME_PERSON_COSINE
    for vector in (first, second, other):
        assert vector.shape == (DIMENSIONS,) and vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@need_assets()
@pytest.mark.assets
def test_box_and_landmarks_lie_on_the_face(faces: DlibFaces) -> None:
    ((face,),) = faces.analyze([portrait("obama")])
    assert len(face.landmarks) == 5
    for x, y in face.landmarks:
        assert face.box.x < x < face.box.x + face.box.width
        assert face.box.y < y < face.box.y + face.box.height
    eye, other_eye, nose = face.landmarks[0], face.landmarks[2], face.landmarks[4]
    assert eye[1] < nose[1] and other_eye[1] < nose[1]
    assert 0.3 <= face.confidence <= 1


@need_assets()
@pytest.mark.assets
def test_group_is_listed_left_to_right_and_small_faces_are_found(faces: DlibFaces) -> None:
    (group,) = faces.analyze([photo("coral_apache2/face.jpg")])
    assert len(group) == 4
    assert [face.box.x for face in group] == sorted(face.box.x for face in group)


@need_assets()
@pytest.mark.assets
def test_a_blurred_face_is_worth_less(faces: DlibFaces) -> None:
    sharp = portrait("obama")
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(6)))
    ((good,), (bad,)) = faces.analyze([sharp, blurred])
    assert 0 <= bad.quality < good.quality <= 1
    assert good.quality > 0.7


@need_assets()
@pytest.mark.assets
def test_pictures_without_people(faces: DlibFaces) -> None:
    names = ("coral_apache2/cat_720p.jpg", "skimage_bsd_cc0/rocket.jpg", "coral_apache2/hot_dog.jpg")
    assert faces.analyze([photo(name, 800) for name in names]) == [[], [], []]


@pytest.mark.parametrize("shape", [(1, 1), (3, 2000), (2000, 3), (50, 50)])
def test_odd_pictures_have_no_faces(faces: DlibFaces, shape: tuple[int, int]) -> None:
    assert faces.analyze([np.full((*shape, 3), 90, dtype=np.uint8)]) == [[]]


@need_assets()
@pytest.mark.assets
def test_face_at_the_border_stays_inside(faces: DlibFaces) -> None:
    picture = portrait("obama")
    ((whole,),) = faces.analyze([picture])
    top = int((whole.box.y + 0.1 * whole.box.height) * picture.shape[0])
    (cut,) = faces.analyze([picture[top:]])
    for face in cut:
        assert face.box.y >= 0 and face.box.y + face.box.height <= 1
        assert face.box.x >= 0 and face.box.x + face.box.width <= 1


@need_assets()
@pytest.mark.assets
def test_threshold_comes_from_the_configuration(tmp_path: Path) -> None:
    strict = DlibFaces(EngineConfig(model_cache_dir=tmp_path, face_min_confidence=5.0))
    assert strict.analyze([portrait("obama")]) == [[]]


@need_assets()
@pytest.mark.assets
def test_small_faces_are_left_out_by_the_configuration(tmp_path: Path) -> None:
    """The four faces of the group have boxes of 53 to 109 px."""
    config = EngineConfig(model_cache_dir=tmp_path, face_min_size=80)
    (found,) = DlibFaces(config).analyze([photo("coral_apache2/face.jpg")])
    assert len(found) == 2


def test_identity_and_port(faces: DlibFaces) -> None:
    assert isinstance(faces, FaceAnalyzer)
    assert faces.engine_id.startswith("dlib/") and faces.engine_id.endswith("-hog@2048+q2")
    assert (faces.space.engine, faces.space.dimensions) == ("dlib", 128)


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(dlib_faces, "find_spec", lambda _: found)
    with pytest.raises(EngineUnavailable, match=r"shape_predictor_5_face_landmarks\.dat"):
        DlibFaces(EngineConfig(model_cache_dir=tmp_path))


@pytest.mark.parametrize("package", ["dlib", "face_recognition_models"])
def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real: Callable[[str], object] = dlib_faces.find_spec
    monkeypatch.setattr(dlib_faces, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(EngineUnavailable, match=f"package {package} is not installed"):
        DlibFaces(EngineConfig(model_cache_dir=tmp_path))


def test_broken_weights_are_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("shape_predictor_5_face_landmarks.dat", f"{dlib_faces.MODEL}.dat"):
        (models / name).write_bytes(b"nothing")
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(dlib_faces, "find_spec", lambda _: found)
    with pytest.raises(EngineUnavailable, match="cannot load its weights"):
        DlibFaces(EngineConfig(model_cache_dir=tmp_path)).analyze([np.zeros((9, 9, 3), np.uint8)])
