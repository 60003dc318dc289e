"""RAM++ without torch: tag files, thresholds, the checkpoint's names, and missing files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.taggers import ram_plus
from vision.taggers.ram_plus import CHECKPOINT, RamPlusTagger, calibrate, preprocess, threshold_logits
from vision.taggers.ram_plus_checkpoint import (
    RAM_PLUS,
    RamPlusShape,
    checkpoint_keys,
    map_weights,
    own_key,
)
from vision.taggers.ram_plus_tags import CHINESE_FILE, ENGLISH_FILE, TAG_FILES, THRESHOLD_FILE, read_tags
from vision.tests.ram_plus_support import CHINESE, ENGLISH, GOLDEN, SMALL, THRESHOLDS, write_tags

SOURCE = Path("some.pth")


@dataclass(frozen=True)
class Sized:
    """Stands for a tensor where only its shape matters."""

    shape: tuple[int, ...]


@pytest.fixture
def torch_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torch were installed; nothing in these tests loads it."""
    monkeypatch.setattr(ram_plus, "find_spec", lambda name: ModuleSpec(name, None))


def weights() -> dict[str, Sized]:
    return {key: Sized(size) for key, size in checkpoint_keys(SMALL).items()}


def test_importing_the_tagger_does_not_import_torch() -> None:
    code = "import sys, vision.taggers.ram_plus; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Tag files


def test_tags_are_read_without_the_blanks_around_them(tmp_path: Path) -> None:
    write_tags(tmp_path)
    tags = read_tags(tmp_path)
    assert tags.names("en") == ENGLISH
    assert tags.names("zh") == CHINESE
    assert tags.thresholds == THRESHOLDS
    assert len(tags) == 6


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    write_tags(tmp_path)
    before = read_tags(tmp_path)
    for name in TAG_FILES:
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_tags(tmp_path) == before


def test_lists_of_different_length_are_refused(tmp_path: Path) -> None:
    write_tags(tmp_path)
    (tmp_path / CHINESE_FILE).write_text("海\n", encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=rf"{CHINESE_FILE} .*1 entries.* has 6"):
        read_tags(tmp_path)


def test_an_empty_line_inside_is_refused(tmp_path: Path) -> None:
    write_tags(tmp_path)
    (tmp_path / ENGLISH_FILE).write_text("beach\n\ncat\n", encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=rf"{ENGLISH_FILE}.*line 2 is empty"):
        read_tags(tmp_path)


@pytest.mark.parametrize("value", ["half", "nan", "0", "1.5", "-0.5"])
def test_a_threshold_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    write_tags(tmp_path)
    (tmp_path / THRESHOLD_FILE).write_text(f"0.5\n{value}\n0.5\n", encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=rf"{THRESHOLD_FILE}.*line 2 is '{value}'"):
        read_tags(tmp_path)


def test_a_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    write_tags(tmp_path)
    (tmp_path / CHINESE_FILE).write_bytes("海滩".encode("gb18030"))
    with pytest.raises(EngineUnavailable, match=CHINESE_FILE):
        read_tags(tmp_path)


# Thresholds


def test_half_a_confidence_is_a_tags_own_threshold() -> None:
    thresholds = (0.45, 0.7, 0.98)
    bars = threshold_logits(thresholds)
    assert calibrate(bars[None], bars)[0] == pytest.approx([0.5] * 3)
    probabilities = np.array([0.5, 0.5, 0.99])
    logits = np.log(probabilities / (1 - probabilities)).astype(np.float32)
    over = calibrate(logits[None], bars)[0] > 0.5
    assert over.tolist() == [p > t for p, t in zip(probabilities, thresholds, strict=True)]


def test_a_threshold_of_one_switches_a_tag_off() -> None:
    sure = np.full((1, 1), 80, dtype=np.float32)
    assert calibrate(sure, threshold_logits((1.0,))) == 0


# Picture to input


def test_a_picture_is_squashed_and_normalised() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (500, 900, 3), dtype=np.uint8)
    squashed = Image.fromarray(picture).resize((384, 384), Image.Resampling.BILINEAR)
    expected = (np.asarray(squashed) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = preprocess()(picture)
    assert found.shape == (3, 384, 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.transpose(1, 2, 0), expected, atol=1e-5)


# The checkpoint's names


@pytest.mark.assets
@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"the published layout is not at {GOLDEN}")
def test_the_published_layout_is_expected_key_by_key() -> None:
    published = json.loads((GOLDEN / "keys.json").read_text(encoding="utf-8"))
    assert checkpoint_keys(RAM_PLUS) == {key: tuple(size) for key, size in published.items()}


def test_every_name_maps_to_one_of_its_own() -> None:
    keys = list(checkpoint_keys(RAM_PLUS))
    assert len({own_key(key) for key in keys}) == len(keys) == 367


@pytest.mark.parametrize(
    ("published", "own"),
    [
        ("visual_encoder.layers.0.blocks.1.attn.qkv.bias", "encoder.layers.0.blocks.1.attn.qkv.bias"),
        ("tagging_head.encoder.layer.1.crossattention.self.key.weight", "head.1.key.weight"),
        ("tagging_head.encoder.layer.0.output.LayerNorm.bias", "head.0.norm2.bias"),
        ("vision_multi.encoder.layer.0.intermediate.dense.weight", "head.0.mlp.fc1.weight"),
        ("visual_encoder.layers.0.blocks.1.attn_mask", None),
        ("visual_encoder.layers.3.blocks.0.attn.relative_position_index", None),
        ("fc.weight", "fc.weight"),
    ],
)
def test_names(published: str, own: str | None) -> None:
    assert own_key(published) == own


def test_the_older_name_of_the_head_is_known() -> None:
    older = {key.replace("tagging_head", "vision_multi"): value for key, value in weights().items()}
    assert map_weights(older, SMALL, SOURCE) == map_weights(weights(), SMALL, SOURCE)


def test_derived_tables_are_left_out() -> None:
    more = weights() | {"visual_encoder.layers.0.blocks.1.attn_mask": Sized((4, 16, 16))}
    assert map_weights(more, SMALL, SOURCE) == map_weights(weights(), SMALL, SOURCE)


def test_what_does_not_fit_is_named() -> None:
    wrong = weights()
    del wrong["fc.bias"]
    wrong["text_encoder.weight"] = Sized((3,))
    wrong["image_proj.bias"] = Sized((99,))
    with pytest.raises(EngineUnavailable) as caught:
        map_weights(wrong, SMALL, SOURCE)
    assert "1 missing: fc.bias;" in caught.value.reason
    assert "1 unexpected: text_encoder.weight;" in caught.value.reason
    assert "image_proj.bias [99] instead of [16]" in caught.value.reason
    assert str(SOURCE) in caught.value.reason
    assert CHECKPOINT in caught.value.remedy


def test_a_long_list_of_names_is_cut() -> None:
    with pytest.raises(EngineUnavailable, match=r"367 missing: label_embed, reweight_scale, .*, \.\.\.\."):
        map_weights({}, RAM_PLUS, SOURCE)


@pytest.mark.parametrize(
    "change", [{"heads": (2,)}, {"image_size": 30}, {"window": 3}, {"image_size": 20, "window": 5}]
)
def test_a_shape_whose_windows_do_not_tile_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|multiple|fit"):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_the_published_shape_tiles() -> None:
    assert [RamPlusShape().side(stage) for stage in range(4)] == [96, 48, 24, 12]
    assert RamPlusShape().encoder_width == 1536


# Missing files


def test_without_torch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ram_plus, "find_spec", lambda _name: None)
    with pytest.raises(EngineUnavailable, match=r"torch is not installed") as caught:
        RamPlusTagger(EngineConfig(model_cache_dir=tmp_path))
    assert "torch>=2.4" in caught.value.remedy


@pytest.mark.usefixtures("torch_found")
def test_all_missing_files_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        RamPlusTagger(EngineConfig(model_cache_dir=tmp_path))
    for name in (CHECKPOINT, *TAG_FILES):
        assert name in caught.value.reason
        assert name in caught.value.remedy
    assert str(tmp_path / "ram_plus") in caught.value.remedy
    assert "MODEL_CACHE_DIR/ram_plus" in caught.value.remedy


@pytest.mark.usefixtures("torch_found")
def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    write_tags(tmp_path / "ram_plus")
    with pytest.raises(EngineUnavailable) as caught:
        RamPlusTagger(EngineConfig(model_cache_dir=tmp_path))
    assert caught.value.reason.endswith(f"has no {CHECKPOINT}.")
    assert ENGLISH_FILE not in caught.value.remedy


@pytest.mark.usefixtures("torch_found")
@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04" * 999]
)
def test_an_incomplete_checkpoint_is_refused_without_loading_it(tmp_path: Path, content: bytes) -> None:
    write_tags(tmp_path / "ram_plus")
    (tmp_path / "ram_plus" / CHECKPOINT).write_bytes(content)
    with pytest.raises(EngineUnavailable, match="is incomplete or no PyTorch checkpoint"):
        RamPlusTagger(EngineConfig(model_cache_dir=tmp_path))
