"""RAM++ in torch: parity with the reference, a golden of our own, loading, and tagging end to end."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vision.config import EngineConfig
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import Tagger
from vision.taggers.ram_plus import CHECKPOINT, RamPlusTagger, calibrate, threshold_logits
from vision.taggers.ram_plus_checkpoint import RAM_PLUS, RamPlusShape, load_network, map_weights
from vision.taggers.ram_plus_tags import ENGLISH_FILE
from vision.tests.ram_plus_support import (
    CHINESE,
    ENGLISH,
    GOLDEN,
    SMALL,
    THRESHOLDS,
    pictures,
    save_checkpoint,
    small_folder,
    small_weights,
)

torch = pytest.importorskip("torch", reason="torch is not installed (the extra ram-plus)")

from vision.taggers.ram_plus_network import (  # noqa: E402
    ENCODER_EPS,
    HEAD_EPS,
    RamPlusNetwork,
    join_windows,
    split_windows,
)

pytestmark = pytest.mark.extra

#: Logits of the small network, taken when the full-size one agreed with the reference within 1e-5.
SMALL_LOGITS = (
    (-0.134482, 0.456523, 0.350358, 0.178261, 0.636899, -0.582927),
    (0.216820, 0.405606, 0.485860, 0.375590, 0.615360, 0.815956),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path, device="cpu", threads=1, tag_min_confidence=0.0)


@pytest.fixture
def tagger(config: EngineConfig) -> RamPlusTagger:
    small_folder(config.model_cache_dir)
    return RamPlusTagger(config, shape=SMALL)


def network(shape: RamPlusShape, weights: dict[str, np.ndarray]) -> RamPlusNetwork:
    state = map_weights(weights, shape, Path("random"))
    with torch.device("meta"):
        made = RamPlusNetwork(shape)
    made.load_state_dict(
        {key: torch.from_numpy(np.array(value)) for key, value in state.items()}, assign=True
    )
    return made.eval()


def pixels(shape: RamPlusShape, count: int) -> Any:
    rng = np.random.default_rng(23)
    size = (count, 3, shape.image_size, shape.image_size)
    return torch.from_numpy(rng.standard_normal(size).astype(np.float32))


# The network


def test_the_small_network_gives_its_golden_logits() -> None:
    with torch.inference_mode():
        found = network(SMALL, small_weights())(pixels(SMALL, 2)).numpy()
    np.testing.assert_allclose(found, SMALL_LOGITS, atol=1e-4)


def golden_weights() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ram_plus_random_weights", GOLDEN / "random_weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.assets
@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"the reference's logits are not at {GOLDEN}")
def test_the_full_size_network_agrees_with_the_reference() -> None:
    """The first 64 tags; all 4,585 by ``python benchmarks/ram_plus_parity.py``."""
    source, golden = golden_weights(), np.load(GOLDEN / "golden.npz")
    made = network(replace(RAM_PLUS, tags=64), source.state_dict(64))
    with torch.inference_mode():
        tokens = made.image_tokens(torch.from_numpy(source.pixels()))
        queries = made.tag_queries(tokens[:, 0])
        for layer in made.head:
            queries = layer(queries, tokens)
        logits = made.fc(queries).squeeze(-1)
    assert tokens.shape == (2, 145, 512)
    np.testing.assert_allclose(tokens[:, 0].numpy(), golden["image_cls"], atol=1e-4)
    np.testing.assert_allclose(logits.numpy(), golden["logits"][:, :64], atol=1e-4)


def test_every_layer_norm_has_the_eps_it_was_trained_with() -> None:
    """Too small a difference for the logits to tell."""
    made = network(SMALL, small_weights())
    found = {name: part.eps for name, part in made.named_modules() if isinstance(part, torch.nn.LayerNorm)}
    assert (ENCODER_EPS, HEAD_EPS) == (1e-5, 1e-12)
    assert {eps for name, eps in found.items() if name.startswith("encoder.")} == {1e-5}
    assert {eps for name, eps in found.items() if name.startswith("head.")} == {1e-12}
    assert len(found) == 1 + 2 * 4 + 1 + 1 + 2 * 2


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    made, batch = network(SMALL, small_weights()), pixels(SMALL, 3)
    with torch.inference_mode():
        together = made(batch)
        alone = torch.cat([made(one[None]) for one in batch])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_windows_are_cut_row_by_row_and_joined_again() -> None:
    grid = torch.arange(2 * 8 * 8 * 3).view(2, 8, 8, 3)
    windows = split_windows(grid, 4)
    assert windows.shape == (8, 16, 3)
    assert torch.equal(windows[1].view(4, 4, 3), grid[0, :4, 4:])
    assert torch.equal(join_windows(windows, 8), grid)


def test_shifted_windows_keep_opposite_borders_apart() -> None:
    """A change at the left border must not reach the right border through a shifted window."""
    block = network(SMALL, small_weights()).encoder.layers[0].blocks[1]
    assert block.shift == 2
    grid = torch.randn(1, 8, 8, 16, generator=torch.Generator().manual_seed(5))
    changed = grid.clone()
    changed[:, :, 0] *= -1
    with torch.inference_mode():
        moved = (block(grid) - block(changed)).abs().amax(dim=(0, 1, 3))
    assert moved[:2].min() > 1e-3
    assert moved[2:].max() < 1e-5


# Loading


def load(path: Path) -> RamPlusNetwork:
    return load_network(path, SMALL, device="cpu", dtype=torch.float32)


def test_a_checkpoint_is_loaded_without_its_training_state(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pth", small_weights())
    loaded = load(tmp_path / "a.pth")
    with torch.inference_mode():
        np.testing.assert_allclose(loaded(pixels(SMALL, 2)).numpy(), SMALL_LOGITS, atol=1e-4)
    assert not any(weight.requires_grad for weight in loaded.parameters())
    assert not loaded.training


def test_older_names_and_derived_tables_load_the_same(tmp_path: Path) -> None:
    older = {key.replace("tagging_head", "vision_multi"): value for key, value in small_weights().items()}
    older["visual_encoder.layers.0.blocks.0.attn.relative_position_index"] = np.zeros((16, 16), np.int64)
    save_checkpoint(tmp_path / "a.pth", older)
    with torch.inference_mode():
        found = load(tmp_path / "a.pth")(pixels(SMALL, 2)).numpy()
    np.testing.assert_allclose(found, SMALL_LOGITS, atol=1e-4)


def test_bare_weights_load_too(tmp_path: Path) -> None:
    torch.save({k: torch.from_numpy(np.array(v)) for k, v in small_weights().items()}, tmp_path / "a.pth")
    assert load(tmp_path / "a.pth").shape == SMALL


def test_weights_kept_in_half_precision_are_computed_in_full(tmp_path: Path) -> None:
    half = {key: value.astype(np.float16) for key, value in small_weights().items()}
    save_checkpoint(tmp_path / "a.pth", half)
    loaded = load(tmp_path / "a.pth")
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    with torch.inference_mode():
        np.testing.assert_allclose(loaded(pixels(SMALL, 2)).numpy(), SMALL_LOGITS, atol=2e-2)


class Surprise:
    """Would make a folder if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pth", small_weights(), args=Surprise(tmp_path / "made"))
    with pytest.raises(EngineUnavailable, match=r"a\.pth cannot be used"):
        load(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    weights = small_weights()
    weights["text_model.weight"] = weights.pop("fc.weight")
    save_checkpoint(tmp_path / "a.pth", weights)
    with pytest.raises(EngineUnavailable, match=r"1 missing: fc\.weight; 1 unexpected: text_model\.weight"):
        load(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds no table of weights"),
        ({}, "holds no weights"),
        ({"model": {"epoch": 3}}, "1 not weights: epoch"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: object, said: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(EngineUnavailable, match=said):
        load(tmp_path / "a.pth")


def test_descriptions_that_do_not_divide_are_refused(tmp_path: Path) -> None:
    weights = small_weights()
    weights["label_embed"] = weights["label_embed"][:-1]
    save_checkpoint(tmp_path / "a.pth", weights)
    with pytest.raises(EngineUnavailable, match="label_embed has 29 rows, no multiple of 5"):
        load(tmp_path / "a.pth")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pth", small_weights())
    content = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "b.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(EngineUnavailable, match=r"b\.pth cannot be used"):
        load(tmp_path / "b.pth")


# Tagging


def test_pictures_get_tags_by_margin_over_the_tags_own_threshold(tagger: RamPlusTagger) -> None:
    images = pictures(3)
    assert isinstance(tagger, Tagger)
    found = tagger.tag_images(images)
    confidences = calibrate(tagger.logits(images), threshold_logits(THRESHOLDS))
    for tags, row in zip(found, confidences, strict=True):
        expected = sorted((float(c) for c, t in zip(row, THRESHOLDS, strict=True) if t < 1), reverse=True)
        assert [tag.confidence for tag in tags] == pytest.approx(expected)
        assert {tag.name for tag in tags} == set(ENGLISH) - {"sea"}  # its threshold is 1: switched off


def test_threshold_and_top_k_are_the_settings(tagger: RamPlusTagger, config: EngineConfig) -> None:
    images = pictures(2)
    every = tagger.tag_images(images)
    two = RamPlusTagger(replace(config, tags_per_photo=2), shape=SMALL)
    assert two.tag_images(images) == [tags[:2] for tags in every]
    half = RamPlusTagger(replace(config, tag_min_confidence=0.5), shape=SMALL)
    assert half.tag_images(images) == [[t for t in tags if t.confidence >= 0.5] for tags in every]
    assert two.engine_id == half.engine_id == tagger.engine_id


def test_chinese_names_appear_once(tagger: RamPlusTagger, config: EngineConfig) -> None:
    images = pictures(2)
    chinese = RamPlusTagger(config, language="zh", shape=SMALL)
    names = dict(zip(ENGLISH, CHINESE, strict=True))
    for english, tags in zip(tagger.tag_images(images), chinese.tag_images(images), strict=True):
        assert [tag.name for tag in tags] == list(dict.fromkeys(names[tag.name] for tag in english))
    assert chinese.engine_id != tagger.engine_id


def test_batches_keep_the_order(tagger: RamPlusTagger, config: EngineConfig) -> None:
    images = pictures(5)
    batched = RamPlusTagger(config, batch_size=2, shape=SMALL)
    np.testing.assert_allclose(batched.logits(images), tagger.logits(images), atol=1e-5)
    assert tagger.tag_images([]) == []


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 3e-2), ("bf16", 3e-1)])
def test_half_precision_stays_close(
    tagger: RamPlusTagger, config: EngineConfig, precision: Any, tolerance: float
) -> None:
    images = pictures(2)
    half = RamPlusTagger(config, precision=precision, shape=SMALL).logits(images)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, tagger.logits(images), atol=tolerance)


def test_the_identity_follows_weights_and_tag_lists(tagger: RamPlusTagger, config: EngineConfig) -> None:
    first = tagger.engine_id
    assert first.startswith("ram_plus/")
    assert RamPlusTagger(config, shape=SMALL).engine_id == first
    folder = small_folder(config.model_cache_dir, small_weights(seed=8))
    second = RamPlusTagger(config, shape=SMALL).engine_id
    text = (folder / ENGLISH_FILE).read_text(encoding="utf-8")
    (folder / ENGLISH_FILE).write_text(text.replace("boat", "ship"), encoding="utf-8")
    assert len({first, second, RamPlusTagger(config, shape=SMALL).engine_id}) == 3


def test_lists_of_another_version_are_refused(config: EngineConfig) -> None:
    fewer = replace(SMALL, tags=4)
    small_folder(config.model_cache_dir, small_weights(fewer))
    with pytest.raises(EngineUnavailable, match="knows 4 tags, the tag files list 6"):
        RamPlusTagger(config, shape=SMALL).tag_images(pictures(1))


def test_a_picture_without_an_answer_is_named(config: EngineConfig) -> None:
    weights = small_weights()
    weights["fc.bias"] = np.full(1, np.nan, np.float32)
    small_folder(config.model_cache_dir, weights)
    with pytest.raises(EngineFailed, match="no numbers for picture 1, 2 of 2"):
        RamPlusTagger(config, shape=SMALL).tag_images(pictures(2))


def test_asking_for_a_card_that_is_not_there_says_so(config: EngineConfig) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a graphics card")
    small_folder(config.model_cache_dir)
    with pytest.raises(EngineUnavailable, match="DEVICE=cuda is set"):
        RamPlusTagger(replace(config, device="cuda"), shape=SMALL).tag_images(pictures(1))


def limit_memory(monkeypatch: pytest.MonkeyPatch, pictures_that_fit: int) -> list[int]:
    """Makes larger batches run out of memory; returns the list of the sizes that are tried."""
    forward = RamPlusNetwork.forward
    tried: list[int] = []

    def limited(self: RamPlusNetwork, batch: Any) -> Any:
        tried.append(len(batch))
        if len(batch) > pictures_that_fit:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return forward(self, batch)

    monkeypatch.setattr(RamPlusNetwork, "forward", limited)
    return tried


def test_a_batch_that_does_not_fit_is_halved_and_the_size_remembered(
    tagger: RamPlusTagger,
    config: EngineConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = pictures(8)
    expected = tagger.logits(images)
    tried = limit_memory(monkeypatch, 2)
    batched = RamPlusTagger(config, batch_size=8, shape=SMALL)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(batched.logits(images), expected, atol=1e-5)
        batched.logits(images)
    assert [record.args for record in caplog.records] == [("RAM++", 8, 4), ("RAM++", 4, 2)]
    assert tried == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_one_picture_that_does_not_fit_fails(tagger: RamPlusTagger, monkeypatch: pytest.MonkeyPatch) -> None:
    limit_memory(monkeypatch, 0)
    with pytest.raises(EngineFailed, match="too little memory for one input"):
        tagger.logits(pictures(1))


def test_nothing_is_loaded_before_the_first_picture(tagger: RamPlusTagger, config: EngineConfig) -> None:
    assert tagger.engine_id
    (config.model_cache_dir / "ram_plus" / CHECKPOINT).unlink()
    with pytest.raises(EngineUnavailable, match="cannot be used"):
        tagger.tag_images(pictures(1))
