"""Finding an OpenCLIP model on disk: what is missing is said without torch and without a network."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vision import choice
from vision.config import EngineConfig
from vision.embedders import openclip_files
from vision.embedders.openclip_files import find_openclip
from vision.errors import EngineUnavailable
from vision.registry import Registry

TEXT = {"context_length": 77, "vocab_size": 49408}
MODEL = {"embed_dim": 16, "vision_cfg": {}, "text_cfg": TEXT}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that pass for installed; open_clip with the configuration of one model."""
    package = tmp_path / "open_clip"
    (package / "model_configs").mkdir(parents=True)
    (package / "model_configs" / "ViT-Tiny.json").write_text(json.dumps(MODEL))
    present = {"torch", "open_clip", "transformers"}

    def spec(name: str) -> Any:
        if name in ("torch", "open_clip", "transformers"):
            place = SimpleNamespace(submodule_search_locations=[str(package)])
            return place if name in present else None
        return find_spec(name)

    monkeypatch.setattr(openclip_files, "find_spec", spec)
    return present


def config(cache: Path, model: str = "ViT-Tiny/mine", **more: Any) -> EngineConfig:
    return EngineConfig(model_cache_dir=cache, embedder="openclip", openclip_model=model, **more)


def place(cache: Path, name: str = "ViT-Tiny__mine", model: dict[str, Any] | None = None) -> Path:
    folder = cache / "openclip" / name
    folder.mkdir(parents=True)
    (folder / "open_clip_model.safetensors").write_bytes(b"weights")
    if model is not None:
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    return folder


def refusal(settings: EngineConfig) -> EngineUnavailable:
    with pytest.raises(EngineUnavailable) as caught:
        choice.embedder(settings)
    return caught.value


def test_the_files_say_what_it_is(tmp_path: Path) -> None:
    place(tmp_path)
    clip = choice.embedder(config(tmp_path))
    assert (clip.engine_id, clip.space.dimensions) == ("clip/ViT-Tiny/mine", 16)
    assert Registry(config(tmp_path)).engine_id("embedder") == "clip/ViT-Tiny/mine"


@pytest.mark.parametrize(("package", "name"), [("torch", "torch"), ("open_clip", "open-clip-torch")])
def test_missing_package(tmp_path: Path, installed: set[str], package: str, name: str) -> None:
    place(tmp_path)
    installed.remove(package)
    error = refusal(config(tmp_path))
    assert error.reason == f"The package {name} is not installed."
    assert "pip install 'open-clip-torch>=3.3'" in error.remedy


def test_missing_weights_are_told_with_their_place(tmp_path: Path) -> None:
    error = refusal(config(tmp_path))
    assert str(tmp_path / "openclip" / "ViT-Tiny__mine") in error.reason
    assert "OPENCLIP_CHECKPOINT" in error.remedy


def test_missing_weights_that_can_be_fetched(tmp_path: Path) -> None:
    error = refusal(config(tmp_path, "ViT-H-14/laion2b_s32b_b79k"))
    assert "download_models --profile ViT-H-14__laion2b_s32b_b79k" in error.remedy


def test_an_unfinished_download_is_no_weights(tmp_path: Path) -> None:
    folder = place(tmp_path)
    (folder / "open_clip_model.safetensors").rename(folder / "open_clip_model.safetensors.part")
    assert "no weights" in refusal(config(tmp_path)).reason


@pytest.mark.parametrize(("name", "said"), [("absent.pt", "does not exist"), ("weights.npz", "must end in")])
def test_checkpoints_that_cannot_be(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "weights.npz").write_bytes(b"x")
    error = refusal(config(tmp_path, openclip_checkpoint=tmp_path / name))
    assert "OPENCLIP_CHECKPOINT" in error.reason and said in error.reason and name in error.reason


def test_unknown_model_names_the_nearest(tmp_path: Path) -> None:
    place(tmp_path, "ViT-Tny__mine")
    error = refusal(config(tmp_path, "ViT-Tny/mine"))
    assert "'ViT-Tny'" in error.reason
    assert "ViT-Tiny" in error.remedy


@pytest.mark.parametrize("name", ["ViT-Tiny", "/mine", ""])
def test_name_without_weights(tmp_path: Path, name: str) -> None:
    assert "OPENCLIP_MODEL" in refusal(config(tmp_path, name)).reason


@pytest.mark.parametrize("content", ["{", "[]", '{"model_cfg": {"embed_dim": "16"}}', '{"model_cfg": []}'])
def test_malformed_configuration_is_named(tmp_path: Path, content: str) -> None:
    (place(tmp_path) / "open_clip_config.json").write_text(content)
    assert "open_clip_config.json" in refusal(config(tmp_path)).reason


def test_a_tokenizer_of_its_own_must_be_there(tmp_path: Path) -> None:
    siglip = {**MODEL, "text_cfg": {**TEXT, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP2"}}
    folder = place(tmp_path, model=siglip)
    assert "tokenizer.json" in refusal(config(tmp_path)).reason
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer_config.json" in refusal(config(tmp_path)).reason
    (folder / "tokenizer_config.json").write_text('{"pad_token": "</s>"}')
    found = find_openclip(config(tmp_path)).tokenizer
    assert found is not None
    assert (found.pad_token, found.clean) == ("</s>", "whitespace")


def test_texts_that_cannot_be_tokenised_alike_are_refused(tmp_path: Path) -> None:
    text = {**TEXT, "tokenizer_kwargs": {"reduction_mask": "simple"}}
    place(tmp_path, model={**MODEL, "text_cfg": text})
    assert "reduction_mask" in refusal(config(tmp_path)).reason


def test_a_text_tower_of_transformers_needs_its_configuration(tmp_path: Path, installed: set[str]) -> None:
    text = {**TEXT, "hf_model_name": "xlm-roberta-base"}
    folder = place(tmp_path, model={**MODEL, "text_cfg": text})
    assert str(folder / "text" / "config.json") in refusal(config(tmp_path)).reason
    installed.remove("transformers")
    assert "pip install transformers" in refusal(config(tmp_path)).remedy


def test_weights_of_ones_own_are_a_space_of_their_own(tmp_path: Path) -> None:
    folder = place(tmp_path)
    published = choice.embedder(config(tmp_path)).space.model
    own = config(tmp_path, openclip_checkpoint=folder / "open_clip_model.safetensors")
    first = choice.embedder(own).space.model
    (folder / "open_clip_model.safetensors").write_bytes(b"weighty")
    assert published == "ViT-Tiny/mine"
    assert first.startswith("ViT-Tiny/mine@")
    assert choice.embedder(own).space.model != first
