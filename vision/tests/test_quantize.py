"""Folders that name their space, and their int8 versions: close enough, or not written at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from vision import devices
from vision.config import EngineConfig
from vision.embedders import export
from vision.embedders.onnx_clip import OnnxClip
from vision.embedders.parity import drawn_pictures
from vision.embedders.quantize import quantize_clip
from vision.embedders.staging import ExportRefused, staged_folder
from vision.errors import EngineUnavailable
from vision.tests.assets import CLIP_SURROGATE, need_assets, photo
from vision.tests.small_models import FIXED, FREE, Variant, build_clip_folder


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path / "cache", device="cpu", threads=1)


def name_space(folder: Path, space: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "heirloom": {"space": space}}))


def test_a_folder_can_name_its_space(tmp_path: Path, config: EngineConfig) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    name_space(folder, {"engine": "clip", "model": "ViT-B-32/openai"})
    clip = OnnxClip(folder, config)
    assert (clip.space.engine, clip.space.model) == ("clip", "ViT-B-32/openai")
    assert clip.engine_id == "clip/ViT-B-32/openai"


@pytest.mark.parametrize(
    "space",
    [None, "ViT", {"engine": "clip"}, {"engine": "dlib", "model": "x"}, {"engine": "clip", "model": ""}],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path: Path, config: EngineConfig, space: object) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    name_space(folder, space)
    with pytest.raises(EngineUnavailable, match=r"heirloom\.space"):
        OnnxClip(folder, config)


@pytest.mark.parametrize("variant", [FIXED, FREE], ids=["fixed", "free"])
def test_int8_stays_in_the_space_of_its_source(
    tmp_path: Path, config: EngineConfig, variant: Variant
) -> None:
    source = build_clip_folder(tmp_path / "tiny", variant)
    report = quantize_clip(source, tmp_path / "int8", config, drawn_pictures())
    assert 0.99 <= report.agreement.lowest <= report.agreement.pictures_mean <= 1.0001
    whole, small = OnnxClip(source, config), OnnxClip(tmp_path / "int8", config)
    assert small.space == whole.space == report.space
    assert small.engine_id == whole.engine_id
    cosines = (small.embed_images(drawn_pictures()) * whole.embed_images(drawn_pictures())).sum(axis=1)
    assert cosines.min() == pytest.approx(report.agreement.pictures_lowest, abs=1e-4)
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8/visual/model.onnx").graph.node}
    assert "MatMulInteger" in kinds


def spread(folder: Path) -> None:
    """Two weights that cancel each other for grey pictures, and leave no room in int8 for the others."""
    path = folder / "visual" / "model.onnx"
    model = onnx.load(path)
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == "weights"]
    weights = numpy_helper.to_array(tensor).copy()
    patches = len(weights) // 3
    weights[0], weights[patches] = 250, -250
    tensor.CopyFrom(numpy_helper.from_array(weights, "weights"))
    onnx.save(model, path)


def test_int8_that_loses_too_much_is_refused(tmp_path: Path, config: EngineConfig) -> None:
    source = build_clip_folder(tmp_path / "tiny")
    spread(source)
    random = np.random.default_rng(3)
    grey = [np.repeat(random.integers(0, 256, (32, 32, 1), dtype=np.uint8), 3, axis=2) for _ in range(4)]
    with pytest.raises(ExportRefused, match="loses too much: the lowest cosine is 0"):
        quantize_clip(source, tmp_path / "int8", config, grey)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_what_is_there_is_not_overwritten(tmp_path: Path, config: EngineConfig) -> None:
    source = build_clip_folder(tmp_path / "tiny")
    with pytest.raises(ExportRefused, match="exists already"):
        quantize_clip(source, source, config, drawn_pictures())
    assert OnnxClip(source, config).embed_texts(["a cat"]).shape == (1, 16)


def test_a_source_that_is_none(tmp_path: Path, config: EngineConfig) -> None:
    with pytest.raises(EngineUnavailable, match="does not exist"):
        quantize_clip(tmp_path / "nowhere", tmp_path / "int8", config, drawn_pictures())
    source = build_clip_folder(tmp_path / "tiny")
    (source / "textual" / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(EngineUnavailable, match=r"textual/model\.onnx"):
        quantize_clip(source, tmp_path / "int8", config, drawn_pictures())
    assert not (tmp_path / "int8").exists()


def test_the_package_onnx_is_asked_for(
    tmp_path: Path, config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match="onnx is not installed") as caught:
        quantize_clip(tmp_path, tmp_path / "int8", config, [])
    assert "pip install onnx" in caught.value.remedy


def test_half_a_folder_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with staged_folder(tmp_path / "target") as work:
            (work / "half").write_bytes(b"x")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with staged_folder(tmp_path / "target") as work:
        (work / "file").write_bytes(b"x")
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "file"]


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    def fill() -> None:
        with staged_folder(tmp_path / "target"):
            raise OSError(28, "No space left on device")

    with pytest.raises(ExportRefused, match="No space left"):
        fill()


def test_weights_in_many_files_become_one(tmp_path: Path, config: EngineConfig) -> None:
    """As torch leaves a tower above protobuf's 2 GiB."""
    source = build_clip_folder(tmp_path / "tiny")
    expected = OnnxClip(source, config).embed_images(drawn_pictures())
    model, raw = onnx.load(source / "visual/model.onnx"), source / "visual" / "raw"
    raw.mkdir()
    onnx.save_model(
        model, raw / "model.onnx", save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=0
    )
    assert len(list(raw.iterdir())) > 1
    (source / "visual/model.onnx").unlink()
    export.gather(raw / "model.onnx", source / "visual/model.onnx")
    assert (source / "visual/model.onnx.data").is_file()
    np.testing.assert_allclose(OnnxClip(source, config).embed_images(drawn_pictures()), expected, atol=1e-6)


@need_assets()
@pytest.mark.assets
def test_the_stand_in_and_real_photos(tmp_path: Path, config: EngineConfig) -> None:
    names = ("skimage_bsd_cc0/chelsea.png", "skimage_bsd_cc0/coffee.png", "skimage_bsd_cc0/rocket.jpg")
    pictures = [photo(name, 512) for name in names]
    report = quantize_clip(CLIP_SURROGATE, tmp_path / "int8", config, pictures)
    assert report.agreement.lowest > 0.999
    assert report.size < report.size_before


# Providers -------------------------------------------------------------------------------------------------

CUDA, OPENVINO, CPU = devices.CUDA_PROVIDER, devices.OPENVINO_PROVIDER, devices.CPU_PROVIDER


@pytest.mark.parametrize(
    ("installed", "device", "expected"),
    [
        ([CPU], "auto", [CPU]),
        ([OPENVINO, CPU], "auto", [OPENVINO, CPU]),
        ([OPENVINO, CPU], "cpu", [OPENVINO, CPU]),
        ([CPU, CUDA, "TensorrtExecutionProvider"], "auto", [CUDA, CPU]),
        ([CUDA, CPU], "cpu", [CPU]),
        ([CPU, OPENVINO, CUDA], "cuda", [CUDA, OPENVINO, CPU]),
    ],
)
def test_providers_by_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: list[str], device: str, expected: list[str]
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: installed)
    assert devices.onnx_providers(EngineConfig(tmp_path, device=device)) == expected


@pytest.mark.parametrize("installed", [[CPU], [OPENVINO, CPU]])
def test_no_cuda_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: list[str]) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: installed)
    with pytest.raises(EngineUnavailable, match="no CUDA provider"):
        devices.onnx_providers(EngineConfig(tmp_path, device="cuda"))


def test_openvino_keeps_to_the_processor_and_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    asked: dict[str, object] = {}
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [OPENVINO, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **options: asked.update(options))
    devices.onnx_session(tmp_path / "model.onnx", EngineConfig(tmp_path, threads=3))
    assert asked["providers"] == [OPENVINO, CPU]
    assert asked["provider_options"] == [{"device_type": "CPU", "num_of_threads": "3"}, {}]


def test_the_libraries_of_a_card_are_there_before_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They lie in packages that the loader does not search; ONNX Runtime prints what it misses."""
    import onnxruntime

    done: list[object] = []

    def preload() -> None:
        sys.stdout.write("Failed to load libcudnn")
        done.append("preload")

    def session(*args: object, **options: object) -> Session:
        done.append(options["provider_options"])
        return Session()

    class Session:
        def get_providers(self) -> list[str]:
            return [CUDA, CPU]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    devices._load_cuda.cache_clear()
    options = [{"cudnn_conv_algo_search": "HEURISTIC"}, {}]
    for _ in range(2):
        devices.onnx_session(tmp_path / "model.onnx", EngineConfig(tmp_path))
    devices.onnx_session(tmp_path / "model.onnx", EngineConfig(tmp_path, device="cpu"))
    devices._load_cuda.cache_clear()
    assert done == ["preload", options, options, [{}]]
    assert capsys.readouterr().out == ""
