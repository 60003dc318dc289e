"""Tags without a tagger: pictures compared with the words of a vocabulary in the embedder's space.

A cosine alone means nothing: one model's match is another's noise, and busy pictures are near everything. So
a word's cosine is measured against those of about sixty everyday words *with the same picture*:

1. ``z = (cosine - median) / spread`` over the background words; the spread is the median absolute deviation
   scaled to a standard deviation, so that background words that do show in the picture change nothing.
2. ``confidence = 1 / (1 + exp(-(z - MIDDLE) / WIDTH))``.

With the default threshold of 0.5 a word must stand MIDDLE spreads above the background: a missing tag is
found by searching anyway, a wrong one is seen.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.ports import Embedder
from vision.results import RGBImage, Tag, Vectors
from vision.taggers.prompts import background_for, prompts_for

ENGINE = "zero_shot"
MIDDLE = 4.0
WIDTH = 0.75
#: No model measures finer than this (cosine); keeps flat pictures from turning rounding into confidence.
SMALLEST_SPREAD = 0.01
_MAD_TO_DEVIATION = 1.4826
_TEXTS_A_BATCH = 64

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _WordVectors:
    """float32, unit rows: the vocabulary [V, D] and the background [B, D]."""

    vocabulary: Vectors
    background: Vectors


class ZeroShotTagger:
    """Words of a vocabulary for pictures or for their stored vectors (``VectorTagger``).

    Nothing is computed when one is made; the words' vectors are made at the first picture and kept, in memory
    and under ``config.model_cache_dir``. The threshold and the number of tags are part of the identity:
    tagging from stored vectors costs next to nothing, so a changed setting may re-tag everything.
    """

    def __init__(self, embedder: Embedder, vocabulary: Sequence[str], config: EngineConfig) -> None:
        self._embedder = embedder
        self._vocabulary = tuple(sorted({word.strip() for word in vocabulary if word.strip()}))
        self._background = tuple(background_for(self._vocabulary))
        self._config = config
        self._vectors: _WordVectors | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``zero_shot/<embedder>/<hash of words, wordings and thresholds>``."""
        limits = f"{self._config.tag_min_confidence}|{self._config.tags_per_photo}|{MIDDLE}|{WIDTH}"
        digest = hashlib.sha256(f"{self._words_digest()}|{limits}".encode()).hexdigest()[:8]
        return f"{ENGINE}/{self._embedder.engine_id}/{digest}"

    def tag_images(self, images: Sequence[RGBImage]) -> list[list[Tag]]:
        """One list of tags a picture, most confident first."""
        return self.tag_vectors(self._embedder.embed_images(images))

    def tag_vectors(self, vectors: Vectors) -> list[list[Tag]]:
        """float32 [N, D] unit image vectors of the embedder's space to one list of tags a row."""
        if not len(vectors) or not self._vocabulary:
            return [[] for _ in vectors]
        words = self._word_vectors()
        confidences = calibrate(vectors @ words.vocabulary.T, vectors @ words.background.T)
        return [self._best(row) for row in confidences]

    def _best(self, confidences: npt.NDArray[np.float32]) -> list[Tag]:
        order = np.argsort(-confidences, kind="stable")[: self._config.tags_per_photo]
        return [
            Tag(name=self._vocabulary[i], confidence=float(confidences[i]))
            for i in order
            if confidences[i] >= self._config.tag_min_confidence
        ]

    def _word_vectors(self) -> _WordVectors:
        if self._vectors is None:
            with self._lock:
                if self._vectors is None:
                    self._vectors = self._load_or_compute()
        return self._vectors

    def _load_or_compute(self) -> _WordVectors:
        key = hashlib.sha256(f"{self._embedder.engine_id}|{self._words_digest()}".encode()).hexdigest()[:16]
        path = self._config.model_cache_dir / "text_vectors" / f"{key}.npy"
        words = (*self._vocabulary, *self._background)
        vectors = _read(path, (len(words), self._embedder.space.dimensions))
        if vectors is None:
            vectors = self._embed_words(words)
            _write(path, vectors)
        count = len(self._vocabulary)
        return _WordVectors(vocabulary=vectors[:count], background=vectors[count:])

    def _embed_words(self, words: Sequence[str]) -> Vectors:
        """[W] words to float32 [W, D]: the mean of each word's wordings, of unit length."""
        prompts = [prompts_for(word) for word in words]
        flat = [text for wordings in prompts for text in wordings]
        batches = [flat[i : i + _TEXTS_A_BATCH] for i in range(0, len(flat), _TEXTS_A_BATCH)]
        vectors = np.concatenate([self._embedder.embed_texts(batch) for batch in batches])
        means = vectors.reshape(len(words), -1, vectors.shape[1]).mean(axis=1)
        unit: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _words_digest(self) -> str:
        """Of everything that is said to the text tower; order of the vocabulary does not count."""
        lines = (
            text for word in (*self._vocabulary, *self._background) for text in (word, *prompts_for(word))
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def calibrate(
    cosines: npt.NDArray[np.float32], background: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """[N, V] cosines with the vocabulary and [N, B] with the background to [N, V] confidences in 0..1."""
    median = np.median(background, axis=1, keepdims=True)
    deviation = np.median(np.abs(background - median), axis=1, keepdims=True) * _MAD_TO_DEVIATION
    z = (cosines - median) / np.maximum(deviation, SMALLEST_SPREAD)
    confidences: npt.NDArray[np.float32] = 1 / (1 + np.exp(-(z - MIDDLE) / WIDTH))
    return confidences


def _read(path: Path, shape: tuple[int, int]) -> Vectors | None:
    """The stored vectors; None when there are none that can be used."""
    try:
        vectors = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        logger.warning("Stored word vectors %s cannot be read and are made again: %s", path, error)
        return None
    if vectors.shape != shape or not np.isfinite(vectors).all():
        logger.warning("Stored word vectors %s do not fit the model and are made again.", path)
        return None
    return np.asarray(vectors, dtype=np.float32)


def _write(path: Path, vectors: Vectors) -> None:
    """Written aside and renamed, so that no other worker reads half a file; without it we only lose time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.save(file, vectors)
        Path(name).replace(path)
    except OSError as error:
        logger.warning("Word vectors cannot be kept in %s: %s", path.parent, error)
