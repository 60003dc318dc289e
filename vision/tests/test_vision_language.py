"""Real generation with a tiny model in SmolVLM's architecture and files."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vision.config import EngineConfig
from vision.describers import vision_language
from vision.describers.vision_language import MAX_NEW_TOKENS, PROMPT, VisionLanguageDescriber
from vision.describers.wording import clean
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import Describer
from vision.tests.describer_support import build_describer_folder, pictures, pretend_torchvision
from vision.weights import RECORD, digest

torch = pytest.importorskip("torch", reason="torch is not installed (the extra descriptions)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (the extra descriptions)"
)
pretend_torchvision()


pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_describer_folder(tmp_path_factory.mktemp("describer") / "tiny")


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path, device="cpu", threads=1, descriptions=True)


@pytest.fixture(scope="module")
def engine(folder: Path) -> VisionLanguageDescriber:
    return VisionLanguageDescriber(
        folder, EngineConfig(model_cache_dir=folder, device="cpu", threads=1), batch_size=8
    )


def bare(folder: Path, image: np.ndarray) -> tuple[str, bool]:
    """What transformers' own documented calls answer, and whether the model ended by itself."""
    from PIL import Image

    processor = transformers.AutoProcessor.from_pretrained(folder)
    network = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    content = [{"type": "image", "image": Image.fromarray(image)}, {"type": "text", "text": PROMPT}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    tokens = network.generate(**inputs, do_sample=False, max_new_tokens=MAX_NEW_TOKENS)
    said = tokens[0, inputs["input_ids"].shape[1] :]
    return processor.decode(said, skip_special_tokens=True), network.generation_config.eos_token_id in said


def test_it_is_a_describer(engine: VisionLanguageDescriber) -> None:
    assert isinstance(engine, Describer)
    assert engine.describe([]) == []


def test_the_same_words_as_transformers_alone(folder: Path, engine: VisionLanguageDescriber) -> None:
    answers = [bare(folder, image) for image in pictures()]
    expected = [clean(answer, finished=finished) for answer, finished in answers]
    assert len(set(expected)) == len(expected)
    assert all(expected)
    assert engine.describe(pictures()) == expected


def test_a_batch_says_what_single_pictures_say_every_time(folder: Path, config: EngineConfig) -> None:
    alone = VisionLanguageDescriber(folder, config, batch_size=1).describe(pictures())
    pairs = VisionLanguageDescriber(folder, config, batch_size=2)
    assert pairs.describe(pictures()) == alone
    assert pairs.describe(pictures()[::-1]) == alone[::-1]


def test_no_network_is_asked(folder: Path, config: EngineConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"The network was asked: {arguments}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert VisionLanguageDescriber(folder, config).describe(pictures()[:1])[0]


def test_making_one_loads_nothing(folder: Path, config: EngineConfig) -> None:
    made = VisionLanguageDescriber(folder, config)
    assert made.engine_id == VisionLanguageDescriber(folder, config).engine_id
    assert made._parts is None
    assert made.batch_size == 1


def test_an_answer_without_end_is_cut(tmp_path: Path, config: EngineConfig) -> None:
    endless = build_describer_folder(tmp_path / "endless", ends=False)
    answer, finished = bare(endless, pictures()[0])
    assert not finished
    (text,) = VisionLanguageDescriber(endless, config).describe(pictures()[:1])
    assert text == clean(answer, finished=False) != answer


def test_threads_load_it_once(folder: Path, config: EngineConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    real = vision_language._load

    def load(path: Path, given: EngineConfig) -> Any:
        loads.append(path)
        return real(path, given)

    monkeypatch.setattr(vision_language, "_load", load)
    shared = VisionLanguageDescriber(folder, config)
    answers: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(shared.describe(pictures()[3:4]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(answers) == 3 and answers[0] == answers[1] == answers[2]


def test_too_little_memory_halves_the_batch_for_good(
    folder: Path, config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = vision_language._generate

    def generate(parts: Any, images: Any) -> list[str]:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.cuda.OutOfMemoryError("too little")
        return real(parts, images)

    monkeypatch.setattr(vision_language, "_generate", generate)
    engine = VisionLanguageDescriber(folder, config, batch_size=5)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert len(engine.describe(pictures())) == 5
    assert sizes == [5, 2, 2, 1]
    assert engine.batch_size == 2


def test_too_little_memory_for_one_picture(
    folder: Path, config: EngineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(parts: Any, images: Any) -> list[str]:
        raise torch.cuda.OutOfMemoryError("too little")

    monkeypatch.setattr(vision_language, "_generate", generate)
    with pytest.raises(EngineFailed, match="too little memory for one picture"):
        VisionLanguageDescriber(folder, config).describe(pictures()[:1])


def changed(folder: Path, target: Path, **values: Any) -> Path:
    """A copy with other values in config.json."""
    shutil.copytree(folder, target)
    path = target / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")
    return target


def test_weights_that_are_no_numbers_are_a_failure_not_a_description(
    folder: Path, config: EngineConfig, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    broken = changed(folder, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["lm_head.weight"][:] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineFailed, match="no numbers for picture 1, 2 of 2"):
        VisionLanguageDescriber(broken, config, batch_size=2).describe(pictures()[:2])


def test_weights_that_lack_a_part_are_not_filled_up_at_random(
    folder: Path, config: EngineConfig, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    broken = changed(folder, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineUnavailable, match="lack 1 parts of the model, lm_head.weight first"):
        VisionLanguageDescriber(broken, config).describe(pictures()[:1])


def test_code_beside_the_weights_is_never_run(folder: Path, config: EngineConfig, tmp_path: Path) -> None:
    witness = tmp_path / "it-ran"
    own = changed(
        folder,
        tmp_path / "own",
        model_type="mine",
        auto_map={"AutoConfig": "mine.Config", "AutoModelForImageTextToText": "mine.Model"},
    )
    (own / "mine.py").write_text(f"open({str(witness)!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(EngineUnavailable, match="needs no code of its own"):
        VisionLanguageDescriber(own, config).describe(pictures()[:1])
    assert not witness.exists()


def test_a_model_of_another_kind_is_told(folder: Path, config: EngineConfig, tmp_path: Path) -> None:
    other = changed(folder, tmp_path / "other", model_type="bert", architectures=["BertModel"])
    with pytest.raises(EngineUnavailable, match="transformers cannot load"):
        VisionLanguageDescriber(other, config).describe(pictures()[:1])


def test_a_model_that_was_not_taught_to_answer_is_told(
    folder: Path, config: EngineConfig, tmp_path: Path
) -> None:
    base = changed(folder, tmp_path / "base")
    (base / "chat_template.json").unlink()
    with pytest.raises(EngineUnavailable, match="no chat template"):
        VisionLanguageDescriber(base, config).describe(pictures()[:1])


def test_files_that_are_not_what_was_downloaded_are_not_loaded(
    folder: Path, config: EngineConfig, tmp_path: Path
) -> None:
    damaged = changed(folder, tmp_path / "SmolVLM-500M-Instruct")
    path = damaged / "model.safetensors"
    row = {"size": path.stat().st_size, "sha256": digest(path), "source": "https://example.org"}
    (damaged / RECORD).write_text(json.dumps({"files": {"model.safetensors": row}}), encoding="utf-8")
    assert VisionLanguageDescriber(damaged, config).describe(pictures()[3:4])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineUnavailable, match=r"download_models --profile SmolVLM-500M-Instruct"):
        VisionLanguageDescriber(damaged, config).describe(pictures()[3:4])
