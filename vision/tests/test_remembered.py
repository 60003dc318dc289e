"""A former model is made again from what was kept of its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.registry import Registry
from vision.remembered import remember, settings_of
from vision.results import SpaceInfo
from vision.tests.small_models import FIXED, build_clip_folder


def kept(config: EngineConfig) -> Any:
    """As it comes back out of the database."""
    return json.loads(json.dumps(remember(config)))


@pytest.fixture
def old(tmp_path: Path) -> EngineConfig:
    return EngineConfig(tmp_path / "cache", clip_onnx_dir=build_clip_folder(tmp_path / "old"), device="cpu")


@pytest.fixture
def new(tmp_path: Path) -> EngineConfig:
    folder = build_clip_folder(tmp_path / "new", FIXED, seed=1)
    return EngineConfig(tmp_path / "cache", clip_onnx_dir=folder, device="cpu")


def test_todays_embedder_is_the_one_when_it_fills_the_space(old: EngineConfig) -> None:
    engines = Registry(old)
    assert engines.text_embedder_for(engines.image_embedder().space, {}) is engines.text_embedder()


def test_a_former_one_is_made_once_and_embeds_as_before(old: EngineConfig, new: EngineConfig) -> None:
    before = Registry(old).text_embedder()
    engines = Registry(new)
    again = engines.text_embedder_for(before.space, kept(old))
    assert again is engines.text_embedder_for(before.space, kept(old))
    assert again is not engines.text_embedder()
    assert again.space == before.space
    assert engines.image_embedder_for(before.space, kept(old)) is again
    assert (again.embed_texts(["a cat"]) == before.embed_texts(["a cat"])).all()


def test_a_former_one_is_made_also_when_todays_cannot_run(old: EngineConfig, tmp_path: Path) -> None:
    space = Registry(old).text_embedder().space
    today = EngineConfig(old.model_cache_dir, clip_onnx_dir=tmp_path / "nothing", device="cpu")
    assert Registry(today).text_embedder_for(space, kept(old)).space == space
    with pytest.raises(EngineUnavailable, match="nothing does not exist"):
        Registry(today).text_embedder_for(space, {})


def test_what_is_gone_is_named_with_what_helps(old: EngineConfig, new: EngineConfig) -> None:
    space = Registry(old).text_embedder().space
    assert old.clip_onnx_dir is not None
    source = kept(old)
    old.clip_onnx_dir.rename(old.clip_onnx_dir.with_name("elsewhere"))
    with pytest.raises(EngineUnavailable) as gone:
        Registry(new).text_embedder_for(space, source)
    assert space.model in gone.value.reason
    assert str(old.clip_onnx_dir) in gone.value.reason
    assert "Put the files back" in gone.value.remedy


def test_another_model_in_the_old_folder_is_not_taken_for_the_old_one(
    old: EngineConfig, new: EngineConfig
) -> None:
    space = Registry(old).text_embedder().space
    source = kept(old)
    assert old.clip_onnx_dir is not None
    config = old.clip_onnx_dir / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(EngineUnavailable, match="not here any more"):
        Registry(new).text_embedder_for(space, source)


def test_a_space_from_before_the_memory_is_found_among_the_downloads(
    old: EngineConfig, new: EngineConfig
) -> None:
    space = Registry(old).text_embedder().space
    assert old.clip_onnx_dir is not None
    (old.model_cache_dir / "clip").mkdir(parents=True)
    old.clip_onnx_dir.rename(old.model_cache_dir / "clip" / "old")
    assert Registry(new).text_embedder_for(space, {}).space == space


def test_an_openclip_model_comes_back_through_the_same_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``choice.embedder`` is asked for: the former model on today's device."""
    checkpoint = tmp_path / "own.safetensors"
    former = EngineConfig(
        tmp_path,
        device="cuda",
        precision="bf16",
        embedder="openclip",
        openclip_model="ViT-B-32/x",
        openclip_checkpoint=checkpoint,
        clip_onnx_dir=tmp_path / "not used",
    )
    source = kept(former)
    assert source == {
        "embedder": "openclip",
        "openclip_model": "ViT-B-32/x",
        "openclip_checkpoint": str(checkpoint),
        "precision": "bf16",
    }
    assert settings_of(source) == (
        f"EMBEDDER=openclip OPENCLIP_CHECKPOINT={checkpoint} OPENCLIP_MODEL=ViT-B-32/x MODEL_PRECISION=bf16"
    )
    asked: list[EngineConfig] = []

    def embedder(config: EngineConfig) -> Any:
        asked.append(config)
        raise EngineUnavailable("Not here.", "")

    monkeypatch.setattr(choice, "embedder", embedder)
    today = EngineConfig(tmp_path, device="cpu", clip_onnx_dir=tmp_path / "today")
    with pytest.raises(EngineUnavailable):
        Registry(today).text_embedder_for(SpaceInfo("openclip", "ViT-B-32/x", 512), source)
    live, candidate = asked
    assert live is today
    assert (candidate.embedder, candidate.openclip_model) == ("openclip", "ViT-B-32/x")
    assert (candidate.openclip_checkpoint, candidate.precision) == (checkpoint, "bf16")
    assert (candidate.clip_onnx_dir, candidate.device) == (None, "cpu")
