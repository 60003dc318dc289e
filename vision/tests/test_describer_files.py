"""Which model describes, and what is said when it cannot: needs neither torch nor transformers."""

from __future__ import annotations

import importlib.util
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vision import choice
from vision.config import EngineConfig
from vision.describers import vision_language
from vision.errors import EngineUnavailable
from vision.registry import Registry
from vision.weights import manifest, select

SMOLVLM = "SmolVLM-500M-Instruct"


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path / "cache", device="cpu", descriptions=True)


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The packages that seem to be installed: making an engine only looks."""
    there = {"torch", "transformers"}
    real = importlib.util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return (
            (object() if name in there else None)
            if name in ("torch", "transformers")
            else real(name, package)
        )

    monkeypatch.setattr(vision_language, "find_spec", find)
    return there


def write_safetensors(path: Path, *, fill: int = 0, cut: int = 0) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [40_000], "data_offsets": [0, 160_000]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes([fill]) * 160_000
    path.write_bytes(content[: len(content) - cut])


def fill_folder(folder: Path) -> Path:
    """Every file that the manifest lists, small."""
    folder.mkdir(parents=True, exist_ok=True)
    model = next(model for model in manifest() if model.id == SMOLVLM)
    for file in model.files:
        content = {"model_type": "idefics3"} if file.path == "config.json" else {"name": file.path}
        (folder / file.path).write_text(json.dumps(content), encoding="utf-8")
    write_safetensors(folder / "model.safetensors")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill_folder(tmp_path / "model")


@pytest.fixture
def placed(config: EngineConfig, folder: Path) -> EngineConfig:
    return replace(config, description_model_dir=folder)


def reason(config: EngineConfig) -> str:
    with pytest.raises(EngineUnavailable) as told:
        choice.describer(config)
    assert told.value.reason and told.value.remedy
    return str(told.value)


def test_switched_off_it_is_no_port(config: EngineConfig) -> None:
    off = Registry(replace(config, descriptions=False))
    assert "describer" not in {status.port for status in off.status()}
    assert off.engine_id("describer") is None
    assert "DESCRIPTIONS=true" in reason(replace(config, descriptions=False))


def test_switched_on_the_status_says_what_helps(config: EngineConfig) -> None:
    (status,) = (status for status in Registry(config).status() if status.port == "describer")
    assert not status.live
    assert status.reason == "The weights of HuggingFaceTB/SmolVLM-500M-Instruct are not there."
    assert status.remedy == f"Run `manage.py download_models --profile {SMOLVLM}`."
    assert select(SMOLVLM)[0].engine == "describer"


def test_a_download_that_is_not_finished(config: EngineConfig) -> None:
    folder = fill_folder(config.model_cache_dir / "describer" / SMOLVLM)
    assert "model.safetensors has 1" in reason(config)
    (folder / "model.safetensors").unlink()
    assert "model.safetensors is missing" in reason(config)


def test_a_model_that_nobody_knows_needs_a_folder(config: EngineConfig, folder: Path) -> None:
    other = replace(config, description_model="somebody/Else-2B")
    told = reason(other)
    assert "somebody/Else-2B" in told and "DESCRIPTION_MODEL_DIR" in told
    assert "HuggingFaceTB/SmolVLM-500M-Instruct" in told
    engine = choice.describer(replace(other, description_model_dir=folder))
    assert engine.engine_id.startswith("vision_language/somebody/Else-2B@")


@pytest.mark.parametrize("name", ["torch", "transformers"])
def test_a_missing_package(placed: EngineConfig, packages: set[str], name: str) -> None:
    packages.discard(name)
    told = reason(placed)
    assert f"Not installed: {name}." in told and "pip install" in told


def test_a_folder_that_is_not_there(config: EngineConfig, tmp_path: Path) -> None:
    told = reason(replace(config, description_model_dir=tmp_path / "nowhere"))
    assert "config.json, tokenizer.json, preprocessor_config.json or processor_config.json" in told


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(placed: EngineConfig, folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in reason(placed)


def test_weights_in_a_format_that_can_hold_code_are_not_taken(placed: EngineConfig, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    told = reason(placed)
    assert "model.safetensors" in told and "may hold code" in told


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_type": 3}', "\x00"])
def test_a_configuration_that_makes_no_sense(placed: EngineConfig, folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content, encoding="utf-8")
    assert "config.json" in reason(placed)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1015025832\n",
        b"\x05" + bytes(7) + b"[[]]]",
    ],
)
def test_weights_that_are_no_weights(placed: EngineConfig, folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "incomplete or no safetensors file" in reason(placed)


def test_weights_that_are_cut_short(placed: EngineConfig, folder: Path) -> None:
    write_safetensors(folder / "model.safetensors", cut=1)
    assert "incomplete" in reason(placed)


def test_weights_in_several_files(placed: EngineConfig, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "has no model-00002-of-00002.safetensors" in reason(placed)
    write_safetensors(folder / "model-00002-of-00002.safetensors", fill=1)
    assert choice.describer(placed).engine_id


def test_the_identity_changes_with_what_the_words_depend_on(
    placed: EngineConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(config: EngineConfig = placed) -> str:
        return choice.describer(config).engine_id

    seen = [identity()]
    assert seen[0].startswith("vision_language/HuggingFaceTB/SmolVLM-500M-Instruct@")
    assert identity(replace(placed, precision="bf16", threads=3)) == seen[0]
    for name in ("config.json", "preprocessor_config.json", "chat_template.json", "tokenizer.json"):
        (folder / name).write_text('{"model_type": "idefics3", "more": 1}', encoding="utf-8")
        seen.append(identity())
    write_safetensors(folder / "model.safetensors", fill=7)
    seen.append(identity())
    monkeypatch.setattr(vision_language, "PROMPT", "What is this?")
    seen.append(identity())
    assert len(set(seen)) == len(seen)
    assert len(identity(replace(placed, description_model="x" * 1000))) < 300


def test_the_registry_keeps_one_engine_as_long_as_its_files_stay(placed: EngineConfig, folder: Path) -> None:
    engines = Registry(placed)
    first = engines.describer()
    assert engines.describer() is first
    assert engines.engine_id("describer") == first.engine_id
    write_safetensors(folder / "model.safetensors", fill=9)
    assert engines.describer() is not first
