"""An OpenCLIP model to a folder for ONNX Runtime: same vectors, same space, or no folder at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vision.config import EngineConfig
from vision.embedders import export
from vision.embedders.clip_folder import _FILES, CLIP_SPACE, read_clip_folder
from vision.embedders.export import ExportReport, export_clip
from vision.embedders.onnx_clip import OnnxClip
from vision.embedders.openclip import OpenClip
from vision.embedders.parity import drawn_pictures
from vision.embedders.quantize import quantize_clip
from vision.embedders.staging import ExportRefused
from vision.errors import EngineUnavailable
from vision.tests.torch_support import (
    import_open_clip,
    model_folder,
    openclip_config,
    pictures,
    save_model,
    save_siglip,
)

torch = pytest.importorskip("torch", reason="torch is not installed (the extra openclip)")
pytest.importorskip("safetensors", reason="safetensors is not installed (the extra openclip)")
try:
    import_open_clip()
except ImportError as missing:
    pytest.skip(f"open-clip-torch is not usable here: {missing}", allow_module_level=True)

pytestmark = pytest.mark.extra
TEXTS = ["a photo of a cat", "The SEA, it’s “blue”!", "ΟΔΥΣΣΕΥΣ &amp; İstanbul", "word " * 40, ""]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[EngineConfig, Path, ExportReport]:
    """One export for the tests that only read."""
    cache = tmp_path_factory.mktemp("cache")
    save_model(model_folder(cache))
    config = openclip_config(cache)
    return config, cache / "onnx", export_clip(config, cache / "onnx")


def assert_same(config: EngineConfig, folder: Path) -> None:
    there, here = OpenClip(config), OnnxClip(folder, config)
    assert there.space == here.space
    assert there.engine_id == here.engine_id == f"{CLIP_SPACE}/{here.space.model}"
    for count in (1, 5):
        np.testing.assert_allclose(
            here.embed_images(pictures(count)), there.embed_images(pictures(count)), atol=1e-4
        )
    np.testing.assert_allclose(here.embed_texts(TEXTS), there.embed_texts(TEXTS), atol=1e-4)


def test_both_runtimes_give_the_same_vectors_in_one_space(exported: Any) -> None:
    config, folder, report = exported
    assert report.agreement.distance < 1e-5
    assert (report.space.engine, report.space.model, report.space.dimensions) == ("clip", "tiny/random", 32)
    assert_same(config, folder)


def test_siglip_too(tmp_path: Path) -> None:
    save_siglip(model_folder(tmp_path))
    export_clip(openclip_config(tmp_path), tmp_path / "onnx")
    assert_same(openclip_config(tmp_path), tmp_path / "onnx")
    assert read_clip_folder(tmp_path / "onnx").clean == "canonicalize"


def test_the_folder_has_the_public_layout(exported: Any) -> None:
    _, folder, report = exported
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == set(_FILES)
    read = read_clip_folder(folder)
    assert (read.context_length, read.clean, read.pad_token) == (16, "lower", "!")
    content = json.loads((folder / "config.json").read_text())
    assert content["heirloom"] == {"space": {"engine": "clip", "model": "tiny/random"}}
    assert report.size == sum(path.stat().st_size for path in folder.rglob("*.*"))


def test_int8_of_an_export_stays_in_the_space(exported: Any, tmp_path: Path) -> None:
    config, folder, exporting = exported
    report = quantize_clip(folder, tmp_path / "int8", config, drawn_pictures())
    assert report.size < report.size_before / 2
    assert OnnxClip(tmp_path / "int8", config).space == exporting.space == report.space


def test_a_checkpoint_of_ones_own_keeps_its_fingerprint(tmp_path: Path) -> None:
    save_siglip(tmp_path / "own")
    file = tmp_path / "own" / "open_clip_model.safetensors"
    config = openclip_config(tmp_path, openclip_checkpoint=file)
    export_clip(config, tmp_path / "onnx")
    assert OnnxClip(tmp_path / "onnx", config).engine_id == OpenClip(config).engine_id
    assert "@" in OpenClip(config).engine_id


def left_behind(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_vectors_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real tampering: the image tower is written with other weights than torch has."""
    save_model(model_folder(tmp_path))
    load = export.load_model

    def other(files: Any) -> Any:
        model = load(files)
        with torch.no_grad():
            model.visual.proj.add_(0.05 * torch.randn_like(model.visual.proj))
        return model

    monkeypatch.setattr(export, "load_model", other)
    with pytest.raises(ExportRefused, match="differs from torch by a cosine distance"):
        export_clip(openclip_config(tmp_path), tmp_path / "onnx")
    assert left_behind(tmp_path) == ["openclip"]


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(model_folder(tmp_path))
    write = torch.onnx.export

    def failing(module: Any, args: Any, path: str, **options: Any) -> None:
        if "textual" in path:
            raise RuntimeError("no symbol for this operator")
        write(module, args, path, **options)

    monkeypatch.setattr(torch.onnx, "export", failing)
    with pytest.raises(ExportRefused, match="text tower of tiny: no symbol"):
        export_clip(openclip_config(tmp_path), tmp_path / "onnx")
    assert left_behind(tmp_path) == ["openclip"]


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    save_model(model_folder(tmp_path))
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "mine.txt").write_text("mine")
    with pytest.raises(ExportRefused, match="exists already"):
        export_clip(openclip_config(tmp_path), tmp_path / "onnx")
    assert (tmp_path / "onnx" / "mine.txt").read_text() == "mine"


def test_missing_weights_are_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="no weights"):
        export_clip(openclip_config(tmp_path), tmp_path / "onnx")
    assert left_behind(tmp_path) == []
