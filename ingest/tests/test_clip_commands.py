"""``manage.py export_clip`` and ``quantize_clip``: what they print, and their refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from library.storage import rendition_path
from library.tests.factories import make_photo
from vision.embedders import export, openclip_files
from vision.embedders.clip_folder import read_clip_folder
from vision.tests.small_models import build_clip_folder


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    call_command(*[str(argument) for argument in arguments])
    return capsys.readouterr().out


def write_pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    random = np.random.default_rng(4)
    for number in range(count):
        pixels = random.integers(0, 256, (50, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_int8_compared_on_pictures_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = build_clip_folder(tmp_path / "tiny"), tmp_path / "int8"
    folder = write_pictures(tmp_path / "pictures", 3)
    out = run(capsys, "quantize_clip", source, target, "--pictures", folder)
    assert "on 3 pictures of the folder: lowest 0.99" in out or "lowest 1.0" in out
    assert f"Set CLIP_ONNX_DIR={target}" in out
    assert (target / "visual" / "model.onnx").is_file()


@pytest.mark.django_db
def test_int8_compared_on_photos_of_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview = rendition_path(make_photo().sha256 or "", "preview")
    preview.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), (200, 90, 30)).save(preview, "JPEG")
    make_photo()  # without a preview
    source = build_clip_folder(tmp_path / "tiny")
    row = json.loads(run(capsys, "quantize_clip", source, tmp_path / "int8", "--json"))
    assert row["compared_on"] == "1 photos of the library"
    assert row["cosine"]["pictures"]["lowest"] >= 0.99
    assert row["space"].startswith("onnx_clip/tiny@")


@pytest.mark.django_db
def test_int8_without_a_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "quantize_clip", build_clip_folder(tmp_path / "tiny"), tmp_path / "int8")
    assert "drawn pictures" in out


def test_int8_refusals(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="no picture can be read"):
        call_command("quantize_clip", str(tmp_path), "x", "--pictures", str(tmp_path / "empty"))
    with pytest.raises(CommandError, match="no folder"):
        call_command("quantize_clip", str(tmp_path), "x", "--pictures", str(tmp_path / "nowhere"))
    pictures = write_pictures(tmp_path / "pictures", 1)
    with pytest.raises(CommandError, match=r"has no file config\.json"):
        call_command("quantize_clip", str(tmp_path), str(tmp_path / "x"), "--pictures", str(pictures))


def test_export_without_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openclip_files, "find_spec", lambda name: None)
    with pytest.raises(CommandError, match="pip install 'open-clip-torch"):
        call_command("export_clip", "ViT-B-32", "openai", str(tmp_path / "x"))
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(CommandError, match="pip install onnx"):
        call_command("export_clip", "ViT-B-32", "openai", str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.extra
def test_export_prints_the_distance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed (the extra openclip)")
    pytest.importorskip("safetensors", reason="safetensors is not installed (the extra openclip)")
    from vision.tests.torch_support import save_model

    try:
        save_model(tmp_path / "own", name="mine.safetensors")
    except ImportError as missing:
        pytest.skip(f"open-clip-torch is not usable here: {missing}")
    checkpoint = ("--checkpoint", tmp_path / "own" / "mine.safetensors")
    out = run(capsys, "export_clip", "tiny", "own", tmp_path / "a", *checkpoint)
    assert "Largest cosine distance to torch" in out
    assert f"Set CLIP_ONNX_DIR={tmp_path / 'a'}" in out
    assert read_clip_folder(tmp_path / "a").space.model.startswith("tiny/own@")
