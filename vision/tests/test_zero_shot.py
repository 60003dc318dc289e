"""Zero-shot tags: calibration, identity, stored word vectors, and what the stand-in sees in real photos."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vision.config import EngineConfig
from vision.embedders.onnx_clip import OnnxClip
from vision.ports import VectorTagger
from vision.results import SpaceInfo, Vectors
from vision.taggers.prompts import BACKGROUND, background_for, prompts_for
from vision.taggers.zero_shot import SMALLEST_SPREAD, ZeroShotTagger, calibrate
from vision.tests.assets import CLIP_SURROGATE, need_assets, photo
from vision.tests.small_models import build_clip_folder

WORDS = (
    "iPhone",
    "laptop",
    "pizza",
    "coffee",
    "beach",
    "mountain",
    "person",
    "cat",
    "bird",
    "hotdog",
    "zzqx",
)


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path / "cache", device="cpu", threads=1)


@pytest.fixture
def clip(tmp_path: Path, config: EngineConfig) -> OnnxClip:
    return OnnxClip(build_clip_folder(tmp_path / "tiny"), config)


class CountingClip(OnnxClip):
    """Counts the texts that are really embedded."""

    texts = 0

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return super().embed_texts(texts)


def background(spread: float, middle: float = 0.17) -> np.ndarray:
    return np.random.default_rng(3).normal(middle, spread, (1, len(BACKGROUND))).astype(np.float32)


def test_confidence_counts_spreads_above_the_background() -> None:
    unrelated, near, match = calibrate(np.array([[0.17, 0.25, 0.40]], np.float32), background(0.02))[0]
    assert unrelated < 0.01
    assert near < match
    assert match > 0.99


def test_a_threshold_means_the_same_on_every_scale() -> None:
    low = calibrate(np.array([[0.25]], np.float32), background(0.02, 0.15))
    high = calibrate(np.array([[0.75]], np.float32), background(0.02, 0.65))
    np.testing.assert_allclose(low, high, atol=1e-3)


def test_background_words_that_are_in_the_picture_change_little() -> None:
    plain = background(0.02)
    shown = plain.copy()
    shown[0, :6] = 0.45
    cosines = np.array([[0.27]], np.float32)
    assert abs(float(calibrate(cosines, plain)[0, 0]) - float(calibrate(cosines, shown)[0, 0])) < 0.35


def test_flat_similarities_give_no_confidence() -> None:
    flat = np.full((1, 60), 0.2, np.float32)
    assert calibrate(np.array([[0.2 + SMALLEST_SPREAD]], np.float32), flat)[0, 0] < 0.05


def test_identity_needs_no_model_and_follows_words_and_settings(clip: OnnxClip, config: EngineConfig) -> None:
    tagger = ZeroShotTagger(clip, ("cat", "dog"), config)
    assert isinstance(tagger, VectorTagger)
    assert tagger.engine_id.startswith(f"zero_shot/{clip.engine_id}/")
    assert tagger.engine_id == ZeroShotTagger(clip, ("dog", "cat", " cat "), config).engine_id
    others = (
        ZeroShotTagger(clip, ("cat", "dog", "bird"), config),
        ZeroShotTagger(clip, ("cat", "dog"), replace(config, tag_min_confidence=0.6)),
        ZeroShotTagger(clip, ("cat", "dog"), replace(config, tags_per_photo=3)),
    )
    assert len({tagger.engine_id, *(other.engine_id for other in others)}) == 4


def test_no_words_or_no_pictures_give_no_tags(clip: OnnxClip, config: EngineConfig) -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    assert ZeroShotTagger(clip, (), config).tag_images([picture]) == [[]]
    assert ZeroShotTagger(clip, ("cat",), config).tag_images([]) == []


def test_tags_are_sorted_and_limited(clip: OnnxClip, config: EngineConfig) -> None:
    tagger = ZeroShotTagger(clip, WORDS, replace(config, tag_min_confidence=0.0, tags_per_photo=4))
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (tags,) = tagger.tag_images([picture])
    assert len(tags) == 4
    assert [tag.confidence for tag in tags] == sorted((tag.confidence for tag in tags), reverse=True)
    assert tagger.tag_vectors(clip.embed_images([picture])) == [tags]


def test_word_vectors_are_kept_on_disk(tmp_path: Path, config: EngineConfig) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    first, second = CountingClip(folder, config), CountingClip(folder, config)
    vector = np.ones((1, 16), np.float32) / 4
    expected = ZeroShotTagger(first, WORDS, config).tag_vectors(vector)
    assert first.texts > 0
    assert ZeroShotTagger(second, WORDS, config).tag_vectors(vector) == expected
    assert second.texts == 0


def test_broken_stored_vectors_are_made_again(
    tmp_path: Path, config: EngineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    clip = CountingClip(build_clip_folder(tmp_path / "tiny"), config)
    vector = np.ones((1, 16), np.float32) / 4
    expected = ZeroShotTagger(clip, WORDS, config).tag_vectors(vector)
    (stored,) = (config.model_cache_dir / "text_vectors").iterdir()
    stored.write_bytes(b"half a file")
    with caplog.at_level(logging.WARNING):
        assert ZeroShotTagger(clip, WORDS, config).tag_vectors(vector) == expected
    assert str(stored) in caplog.text


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, config: EngineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config.model_cache_dir.write_text("a file where the folder should be")
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny"), config)
    with caplog.at_level(logging.WARNING):
        assert len(ZeroShotTagger(clip, WORDS, config).tag_vectors(np.ones((1, 16), np.float32) / 4)) == 1
    assert str(config.model_cache_dir) in caplog.text


def test_prompts_speak_of_the_word_and_the_background_does_not() -> None:
    assert all("owl" in prompt for prompt in prompts_for("owl"))
    assert any("an owl" in prompt for prompt in prompts_for("owl"))
    assert "lamp" not in background_for(["Lamp"])
    assert len(background_for(["Lamp"])) == len(BACKGROUND) - 1
    assert len(set(BACKGROUND)) == len(BACKGROUND)


class OneDirection:
    """An embedder for which every word is the same: it has no opinion."""

    engine_id = "flat/1"
    space = SpaceInfo("flat", "1", 4)

    def embed_images(self, images: Sequence[np.ndarray]) -> Vectors:
        return np.tile(np.array([1, 0, 0, 0], np.float32), (len(images), 1))

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.tile(np.array([0.6, 0.8, 0, 0], np.float32), (len(texts), 1))


def test_a_model_without_an_opinion_gives_no_tags(config: EngineConfig) -> None:
    assert ZeroShotTagger(OneDirection(), WORDS, config).tag_images([np.zeros((9, 9, 3), np.uint8)]) == [[]]


@need_assets()
@pytest.mark.assets
def test_real_photos_get_their_words_and_no_others(config: EngineConfig) -> None:
    expected = {
        "coral_apache2/cat_720p.jpg": {"cat"},
        "skimage_bsd_cc0/chelsea.png": {"cat"},
        "skimage_bsd_cc0/coffee.png": {"coffee"},
        "coral_apache2/kite_and_cold.jpg": {"beach"},
        "coral_apache2/parrot.jpg": {"bird"},
        "coral_apache2/hot_dog.jpg": {"hotdog"},
        "immich_public_domain/formats/webp/denali.webp": {"mountain"},
        "immich_public_domain/formats/png/density_plot.png": set(),
        "skimage_bsd_cc0/page.png": set(),
    }
    tagger = ZeroShotTagger(OnnxClip(CLIP_SURROGATE, config), WORDS, config)
    tags = tagger.tag_images([photo(name, long_edge=640) for name in expected])
    assert {name: {tag.name for tag in row} for name, row in zip(expected, tags, strict=True)} == expected
