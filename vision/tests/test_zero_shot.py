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
from vision.taggers.prompts import BACKGROUND, prompts_for
from vision.taggers.zero_shot import SMALLEST_SPREAD, ZeroShotTagger, calibrate, own_directions
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


def test_a_new_word_costs_only_itself(tmp_path: Path, config: EngineConfig) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    vector = np.ones((1, 16), np.float32) / 4
    everything = replace(config, tag_min_confidence=0)
    before = ZeroShotTagger(OnnxClip(folder, config), WORDS, everything).tag_vectors(vector)
    clip = CountingClip(folder, config)
    wider = replace(everything, tags_per_photo=20)
    after = ZeroShotTagger(clip, (*WORDS, "house"), wider).tag_vectors(vector)
    assert clip.texts == len(prompts_for("house"))
    told = {tag.name: tag.confidence for tag in after[0]}
    assert {tag.name: told[tag.name] for tag in before[0]} == {
        tag.name: pytest.approx(tag.confidence, abs=1e-6) for tag in before[0]
    }


def test_prompts_speak_of_the_word_and_the_phrase_goes_before() -> None:
    assert all("owl" in prompt for prompt in prompts_for("owl"))
    assert any("an owl" in prompt for prompt in prompts_for("owl"))
    assert prompts_for("snow", "fresh snow")[1] == "a photo of fresh snow"
    assert prompts_for("iPhone")[0] == "an Apple iPhone"
    assert len(set(BACKGROUND)) == len(BACKGROUND) > 150


# --- The open vocabulary ------------------------------------------------------------------------------------


def test_the_list_joins_the_given_words_and_is_part_of_the_identity(
    clip: OnnxClip, config: EngineConfig, tmp_path: Path
) -> None:
    file = tmp_path / "tags.txt"
    file.write_text("# ours\nowl\nCAT\nsnow = fresh snow\n", encoding="utf-8")
    listed = replace(config, tag_list=str(file))
    tagger = ZeroShotTagger(clip, ("Cat", "iPhone"), listed)
    assert tagger.vocabulary == ("Cat", "iPhone", "owl", "snow")
    plain = ZeroShotTagger(clip, ("Cat", "iPhone"), config).engine_id
    assert tagger.engine_id not in (plain, ZeroShotTagger(clip, ("iPhone",), listed).engine_id)
    everyday = ZeroShotTagger(clip, ("cat",), replace(config, tag_list="everyday"))
    assert len(everyday.vocabulary) > 600


def test_another_phrase_is_another_identity(clip: OnnxClip, config: EngineConfig, tmp_path: Path) -> None:
    file = tmp_path / "tags.txt"
    names = set()
    for content in ("snow\n", "snow = fresh snow\n", "snow = fresh snow  # a comment\n"):
        file.write_text(content, encoding="utf-8")
        names.add(ZeroShotTagger(clip, (), replace(config, tag_list=str(file))).engine_id)
    assert len(names) == 2


# --- Calibration: synthetic geometry ------------------------------------------------------------------------

DIMENSIONS = 256


class Geometry:
    """Texts and pictures as CLIP arranges them: a direction that all share, and something of their own.

    ``slope`` makes what is their own fill some directions more than others (a power law).
    """

    def __init__(self, slope: float = 0.0) -> None:
        self.random = np.random.default_rng(5)
        weights = np.arange(1, DIMENSIONS, dtype=np.float64) ** (-slope / 2)
        self.weights = weights / np.linalg.norm(weights)
        self.turn = np.linalg.qr(self.random.normal(size=(DIMENSIONS, DIMENSIONS)))[0]

    def unit(self, common: np.ndarray) -> Vectors:
        own = self.random.normal(size=(len(common), DIMENSIONS - 1)) * self.weights
        own *= np.sqrt(1 - common**2)[:, None] / np.linalg.norm(own, axis=1, keepdims=True)
        return (np.concatenate([common[:, None], own], axis=1) @ self.turn).astype(np.float32)

    def words(self, count: int, low: float = 0.5, high: float = 0.7) -> Vectors:
        return self.unit(self.random.uniform(low, high, count))

    def pictures(self, count: int) -> Vectors:
        return self.unit(self.random.normal(0.5, 0.1, count).clip(0.1, 0.8))


def false_rates(words: Vectors, background: Vectors, pictures: Vectors, bar: float) -> np.ndarray:
    """[V] share of unrelated pictures that each word fires on, after calibration."""
    own, own_background = own_directions(words, background)
    found = calibrate(pictures @ own.T, pictures @ own_background.T) >= bar
    return found.mean(axis=0)


#: The confidence of a word three spreads above the background.
THREE_SPREADS = 1 / (1 + np.exp((4 - 3) / 0.75))


def test_a_word_that_is_near_everything_fires_no_more_than_others() -> None:
    space = Geometry()
    background, pictures = space.words(len(BACKGROUND), 0.55, 0.65), space.pictures(4000)
    words = np.concatenate([space.words(1, 0.96, 0.97), space.words(300)])
    raw = calibrate(pictures @ words.T, pictures @ background.T) >= THREE_SPREADS
    assert raw.mean(axis=0)[0] > 0.8  # without own directions it would
    rates = false_rates(words, background, pictures, THREE_SPREADS)
    assert rates[0] <= 0.003


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_a_threshold_gives_every_tag_the_same_rate_of_false_alarms(slope: float) -> None:
    """Of words with much and with little of their own; 0.135 % is what the normal distribution gives."""
    space = Geometry(slope)
    background, pictures = space.words(len(BACKGROUND), 0.55, 0.65), space.pictures(8000)
    near, far = space.words(150, 0.75, 0.8), space.words(150, 0.3, 0.4)
    rates = [false_rates(words, background, pictures, THREE_SPREADS) for words in (near, far)]
    assert [rate.mean() for rate in rates] == [pytest.approx(0.00135, abs=0.0012)] * 2
    assert rates[0].mean() == pytest.approx(rates[1].mean(), rel=0.3)
    assert max(rate.max() for rate in rates) < 0.01
    raw = calibrate(pictures @ np.concatenate([near, far]).T, pictures @ background.T) >= THREE_SPREADS
    assert raw[:, :150].mean() > 100 * raw[:, 150:].mean()  # without own directions


def test_a_thousand_words_give_few_false_tags() -> None:
    space = Geometry()
    background, pictures = space.words(len(BACKGROUND), 0.55, 0.65), space.pictures(2000)
    rates = false_rates(space.words(1000), background, pictures, 0.5)
    assert rates.sum() < 0.2


def test_what_is_in_the_picture_is_found_among_a_thousand() -> None:
    space = Geometry()
    background, words = space.words(len(BACKGROUND), 0.55, 0.65), space.words(1000)
    own, own_background = own_directions(words, background)
    pictures = space.pictures(50) + 1.2 * own[:50]
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    confidences = calibrate(pictures @ own.T, pictures @ own_background.T)
    assert (confidences.argmax(axis=1) == np.arange(50)).all()
    assert confidences[np.arange(50), np.arange(50)].min() > 0.5


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
