"""Tags without a tagger: pictures compared with the words of a vocabulary in the embedder's space.

A cosine alone means nothing: one model's match is another's noise, busy pictures are near everything, and
some words are near every picture. So confidence is measured against 187 everyday background words:

1. A word's own direction: its vector without what it shares with all words (the component along the mean of
   the background), at the length the background words have left. Words near that mean are hubs, near
   everything there is (Radovanović, Nanopoulos and Ivanović, "Hubs in Space", JMLR 2010; Dinu, Lazaridou and
   Baroni, "Improving Zero-Shot Learning by Mitigating the Hubness Problem", ICLR 2015 workshop; removing the
   common direction: Mu and Viswanath, "All-but-the-Top", ICLR 2018). At equal lengths unrelated pictures
   spread equally about every word, so that a threshold means the same for every tag. That the mean of the
   texts is enough, and no picture is needed, rests on the gap between texts and pictures being a constant
   nearly orthogonal to what tells either apart (Zhang et al., "Diagnosing and Rectifying Vision Models Using
   Language", ICLR 2023).
2. ``z = (similarity - median) / spread`` over the background words with the same picture; the spread is the
   median absolute deviation scaled to a standard deviation, so that background words that do show in the
   picture change nothing. Its own error falls with their number (1.17 / sqrt(187) = 9 %; 15 % with 64, which
   gave three times as many false tags on random vectors).
3. ``confidence = 1 / (1 + exp(-(z - MIDDLE) / WIDTH))``.

With the default threshold of 0.5 a word must stand MIDDLE spreads above the background, which an unrelated
one of a normal distribution does three times in 100,000; measured on random vectors, with the error of the
spread, the 766 words that come with Heirloom give a wrong tag in one of 15 to 40 pictures. A missing tag is
found by searching anyway, a wrong one is seen.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.ports import Described, Embedder
from vision.results import RGBImage, Tag, Vectors
from vision.taggers.prompts import BACKGROUND, prompts_for
from vision.taggers.tag_list import read_tag_list
from vision.taggers.word_vectors import word_vectors

ENGINE = "zero_shot"
MIDDLE = 4.0
WIDTH = 0.75
#: No model measures finer than this (cosine); keeps flat pictures from turning rounding into confidence.
SMALLEST_SPREAD = 0.015
_MAD_TO_DEVIATION = 1.4826
#: A word with less of its own than this share of what background words have is not stretched to their
#: length: little but noise is left of it.
_LEAST_OWN = 0.5


@dataclass(frozen=True, slots=True)
class _Directions:
    """float32: the vocabulary's own directions [V, D] and the background's [B, D]."""

    vocabulary: Vectors
    background: Vectors


class ZeroShotTagger:
    """Words of a vocabulary for pictures or for their stored vectors (``VectorTagger``).

    The vocabulary is the given words, whose spelling counts, and the list of ``config.tag_list``. Nothing is
    computed when one is made; the words' vectors are made at the first picture and kept, in memory and under
    ``config.model_cache_dir``. The threshold and the number of tags are part of the identity: tagging from
    stored vectors costs next to nothing, so a changed setting may re-tag everything. Raises
    EngineUnavailable when the list cannot be read.
    """

    def __init__(self, embedder: Embedder, vocabulary: Sequence[str], config: EngineConfig) -> None:
        self._embedder = embedder
        self._config = config
        self._phrases = _merge(vocabulary, read_tag_list(config.tag_list))
        self._vocabulary = tuple(word for word, _ in self._phrases)
        self._directions: _Directions | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``zero_shot/<embedder>/<hash of words, wordings and thresholds>``."""
        limits = f"{self._config.tag_min_confidence}|{self._config.tags_per_photo}|{MIDDLE}|{WIDTH}"
        words = _words_digest(self._phrases)
        digest = hashlib.sha256(f"own|{words}|{limits}|{SMALLEST_SPREAD}".encode()).hexdigest()[:8]
        return f"{ENGINE}/{self._embedder.engine_id}/{digest}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words looked for, each once however it is spelt, sorted."""
        return self._vocabulary

    @property
    def details(self) -> dict[str, str]:
        """It runs where its embedder runs."""
        return self._embedder.details if isinstance(self._embedder, Described) else {}

    def tag_images(self, images: Sequence[RGBImage]) -> list[list[Tag]]:
        """One list of tags a picture, most confident first."""
        return self.tag_vectors(self._embedder.embed_images(images))

    def tag_vectors(self, vectors: Vectors) -> list[list[Tag]]:
        """float32 [N, D] unit image vectors of the embedder's space to one list of tags a row."""
        if not len(vectors) or not self._vocabulary:
            return [[] for _ in vectors]
        words = self._own_directions()
        confidences = calibrate(vectors @ words.vocabulary.T, vectors @ words.background.T)
        return [self._best(row) for row in confidences]

    def _best(self, confidences: npt.NDArray[np.float32]) -> list[Tag]:
        order = np.argsort(-confidences, kind="stable")[: self._config.tags_per_photo]
        return [
            Tag(name=self._vocabulary[i], confidence=float(confidences[i]))
            for i in order
            if confidences[i] >= self._config.tag_min_confidence
        ]

    def _own_directions(self) -> _Directions:
        if self._directions is None:
            with self._lock:
                if self._directions is None:
                    self._directions = self._compute()
        return self._directions

    def _compute(self) -> _Directions:
        # A word may stand in both: what it stands for in the vocabulary may be put differently.
        prompts = {f"tag {word}": prompts_for(word, phrase) for word, phrase in self._phrases}
        prompts |= {f"background {word}": prompts_for(word) for word in BACKGROUND}
        vectors = word_vectors(self._embedder, prompts, self._config.model_cache_dir / "text_vectors")
        count = len(self._vocabulary)
        return _Directions(*own_directions(vectors[:count], vectors[count:]))


def _merge(given: Sequence[str], listed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Words with their phrases, each word once whatever its case; sorted, so that order does not count."""
    phrases = {word.casefold(): phrase for word, phrase in listed.items()}
    words = {word.casefold(): word for word in listed}
    words |= {stripped.casefold(): stripped for stripped in sorted(map(str.strip, given)) if stripped}
    return tuple(sorted((word, phrases.get(folded, "")) for folded, word in words.items()))


@lru_cache(maxsize=8)
def _words_digest(phrases: tuple[tuple[str, str], ...]) -> str:
    """Of everything that is said to the text tower."""
    words = (*phrases, *((word, "") for word in BACKGROUND))
    lines = (text for word, phrase in words for text in (word, *prompts_for(word, phrase)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def own_directions(vocabulary: Vectors, background: Vectors) -> tuple[Vectors, Vectors]:
    """[V, D] and [B, D] unit vectors of words to the same without what all words share.

    Rows have the median length that the background has left, so similarities stay on the scale of cosines.
    A word without anything of its own becomes zero: it is like nothing.
    """
    mean = background.mean(axis=0)
    common = mean / np.linalg.norm(mean)
    own = background - np.outer(background @ common, common)
    usual = float(np.median(np.linalg.norm(own, axis=1)))
    return _at_length(vocabulary - np.outer(vocabulary @ common, common), usual), _at_length(own, usual)


def _at_length(own: Vectors, usual: float) -> Vectors:
    lengths = np.maximum(np.linalg.norm(own, axis=1, keepdims=True), max(_LEAST_OWN * usual, 1e-6))
    scaled: Vectors = (own * (usual / lengths)).astype(np.float32)
    return scaled


def calibrate(
    similarities: npt.NDArray[np.float32], background: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """[N, V] similarities with the vocabulary and [N, B] with the background to [N, V] confidences."""
    median = np.median(background, axis=1, keepdims=True)
    deviation = np.median(np.abs(background - median), axis=1, keepdims=True) * _MAD_TO_DEVIATION
    z = (similarities - median) / np.maximum(deviation, SMALLEST_SPREAD)
    confidences: npt.NDArray[np.float32] = 1 / (1 + np.exp(-(z - MIDDLE) / WIDTH))
    return confidences
