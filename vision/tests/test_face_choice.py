"""Which face engine is chosen, and what is said when the chosen one cannot run. Needs no extra."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.faces import insight_faces
from vision.faces.dlib_faces import DlibFaces
from vision.faces.insight_faces import InsightFaces, search_sizes
from vision.faces.yunet_sface import YunetSface
from vision.tests.face_models import build_pack, build_yunet_sface
from vision.weights import Model, manifest


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if insightface were installed; nothing here loads it."""
    monkeypatch.setattr(insight_faces, "find_spec", lambda name: ModuleSpec(name, None))


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insight_faces, "find_spec", lambda _: None)


def config(cache: Path, **settings: Any) -> EngineConfig:
    return EngineConfig(model_cache_dir=cache, **settings)


def place_yunet(cache: Path) -> None:
    """As a copy by hand: the files have the sizes that the manifest says, and no record."""
    (model,) = (model for model in manifest() if model.engine == "yunet_sface")
    _stand_in(model, cache)


def _stand_in(model: Model, cache: Path) -> None:
    folder = model.folder(cache)
    folder.mkdir(parents=True)
    for file in model.files:
        with (folder / file.path).open("wb") as stream:
            stream.truncate(file.size or 1)  # a hole: no room is taken


def test_without_any_weights_it_is_dlib(tmp_path: Path, package: None) -> None:
    assert isinstance(choice.faces(config(tmp_path)), DlibFaces)


def test_weights_that_are_there_are_used(tmp_path: Path, package: None) -> None:
    place_yunet(tmp_path)
    assert isinstance(choice.faces(config(tmp_path)), YunetSface)
    (model,) = (model for model in manifest() if model.id == "buffalo_l")
    _stand_in(model, tmp_path)
    best = choice.faces(config(tmp_path))
    assert isinstance(best, InsightFaces) and best.engine_id.startswith("insightface/buffalo_l@")
    assert best.space.dimensions == 512
    assert isinstance(choice.faces(config(tmp_path, face_model="antelopev2")), YunetSface)
    build_pack(tmp_path / "insightface" / "antelopev2")
    assert isinstance(choice.faces(config(tmp_path, face_model="antelopev2")), InsightFaces)
    assert isinstance(choice.faces(config(tmp_path, face_engine="dlib")), DlibFaces)
    assert isinstance(choice.faces(config(tmp_path, face_engine="yunet_sface")), YunetSface)


def test_a_pack_without_the_package_is_no_reason_to_stop(tmp_path: Path, no_package: None) -> None:
    build_pack(tmp_path / "insightface" / "buffalo_l")
    place_yunet(tmp_path)
    assert isinstance(choice.faces(config(tmp_path)), YunetSface)
    with pytest.raises(EngineUnavailable, match=r"not installed.*make engines EXTRAS=insightface"):
        choice.faces(config(tmp_path, face_engine="insightface"))


def test_half_a_download_is_not_there_yet(tmp_path: Path, package: None) -> None:
    folder = tmp_path / "insightface" / "buffalo_l"
    folder.mkdir(parents=True)
    (folder / "det_10g.onnx.part").write_bytes(b"...")
    assert isinstance(choice.faces(config(tmp_path)), DlibFaces)
    with pytest.raises(EngineUnavailable, match=r"not finished.*--profile buffalo_l --accept-licence"):
        choice.faces(config(tmp_path, face_engine="insightface"))


def test_a_named_folder_decides_and_is_not_passed_over(tmp_path: Path, no_package: None) -> None:
    free = build_yunet_sface(tmp_path / "free")
    assert isinstance(choice.faces(config(tmp_path, face_model_dir=free)), YunetSface)
    pack = build_pack(tmp_path / "pack")
    with pytest.raises(EngineUnavailable, match="insightface is not installed"):
        choice.faces(config(tmp_path, face_model_dir=pack))


@pytest.mark.parametrize("engine", ["insightface", "yunet_sface"])
def test_a_named_engine_without_weights_says_the_command(tmp_path: Path, package: None, engine: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        choice.faces(config(tmp_path, face_engine=engine))
    command = {
        "insightface": "manage.py download_models --profile buffalo_l --accept-licence",
        "yunet_sface": "manage.py download_models --profile yunet-sface",
    }[engine]
    assert command in caught.value.remedy
    assert ("non-commercial" in caught.value.remedy) == (engine == "insightface")


def test_a_pack_that_cannot_be_fetched_says_where_it_belongs(tmp_path: Path, package: None) -> None:
    with pytest.raises(EngineUnavailable, match=r"antelopev2.*Put the pack's files into") as caught:
        choice.faces(config(tmp_path, face_engine="insightface", face_model="antelopev2"))
    assert str(tmp_path / "insightface" / "antelopev2") in caught.value.remedy


def test_an_empty_folder_is_named(tmp_path: Path, package: None) -> None:
    with pytest.raises(EngineUnavailable, match=rf"{tmp_path} has no \.onnx files"):
        choice.faces(config(tmp_path, face_engine="insightface", face_model_dir=tmp_path))


def test_the_card_is_not_silently_done_without(tmp_path: Path, package: None) -> None:
    """With DEVICE=cuda a pack that is there is not passed over for an engine of the processor."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime can use a card")
    build_pack(tmp_path / "insightface" / "mine")
    with pytest.raises(EngineUnavailable, match="DEVICE=cuda"):
        choice.faces(config(tmp_path, face_model="mine", device="cuda"))


def test_other_files_are_another_identity(tmp_path: Path, package: None) -> None:
    pack = build_pack(tmp_path / "pack")
    first = InsightFaces(config(tmp_path, face_model_dir=pack))
    with (pack / "genderage.onnx").open("ab") as stream:
        stream.write(b"\0")
    second = InsightFaces(config(tmp_path, face_model_dir=pack))
    assert first.engine_id != second.engine_id and first.space != second.space


def test_choosing_imports_no_engine() -> None:
    code = (
        "import sys; from pathlib import Path; from vision import choice\n"
        "from vision.config import EngineConfig\n"
        "choice.faces(EngineConfig(model_cache_dir=Path('nowhere')))\n"
        "sys.exit(bool({'cv2', 'dlib', 'insightface', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sizes_at_which_a_picture_is_searched() -> None:
    assert search_sizes(2048, 1365) == [(128, 128), (640, 512), (1280, 896)]
    assert search_sizes(1365, 2048) == [(128, 128), (512, 640), (896, 1280)]
    assert search_sizes(500, 500) == [(128, 128), (640, 640)]
    assert search_sizes(100, 2000) == [(128, 640), (128, 1280)]
    assert search_sizes(3, 2000) == []
