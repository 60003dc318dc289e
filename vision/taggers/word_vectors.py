"""Vectors of words, made once by the text tower and kept on disk: a new word costs only itself."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vision.ports import TextEmbedder
from vision.results import Vectors

TEXTS_A_BATCH = 64
#: Words that are not asked for any more are kept up to this many in all (2 to 4 kB each).
MOST_KEPT = 20_000

logger = logging.getLogger(__name__)


def word_vectors(embedder: TextEmbedder, prompts: Mapping[str, Sequence[str]], folder: Path) -> Vectors:
    """[W] words with their wordings (the same number each) to float32 [W, D], each row of unit length.

    A word's vector is the mean over its wordings. Kept in ``folder`` by engine and wordings; a folder that
    cannot be written costs only time.
    """
    path = folder / f"{_digest(embedder.engine_id)}.npz"
    known = _read(path, embedder.space.dimensions)
    keys = {word: _digest("\n".join(wordings)) for word, wordings in prompts.items()}
    missing = [word for word in prompts if keys[word] not in known]
    if missing:
        vectors = _embed(embedder, [prompts[word] for word in missing])
        fresh = dict(zip((keys[word] for word in missing), vectors, strict=True))
        if len(known) + len(fresh) > MOST_KEPT:
            known = {key: known[key] for key in keys.values() if key in known}
        known |= fresh
        _write(path, known)
    return np.stack([known[key] for key in keys.values()])


def _embed(embedder: TextEmbedder, prompts: Sequence[Sequence[str]]) -> Vectors:
    flat = [text for wordings in prompts for text in wordings]
    batches = [flat[i : i + TEXTS_A_BATCH] for i in range(0, len(flat), TEXTS_A_BATCH)]
    vectors = np.concatenate([embedder.embed_texts(batch) for batch in batches])
    means = vectors.reshape(len(prompts), -1, vectors.shape[1]).mean(axis=1)
    unit: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path, dimensions: int) -> dict[str, Vectors]:
    """The stored vectors by the digest of their wordings; none when they cannot be used."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            keys, vectors = stored["keys"], stored["vectors"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("Stored word vectors %s cannot be read and are made again: %s", path, error)
        return {}
    if vectors.shape != (len(keys), dimensions) or not np.isfinite(vectors).all():
        logger.warning("Stored word vectors %s do not fit the model and are made again.", path)
        return {}
    return dict(zip(keys.astype(str).tolist(), vectors.astype(np.float32), strict=True))


def _write(path: Path, vectors: Mapping[str, Vectors]) -> None:
    """Written aside and renamed, so that no other worker reads half a file; without it we only lose time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.savez(file, keys=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
        Path(name).replace(path)
    except OSError as error:
        logger.warning("Word vectors cannot be kept in %s: %s", path.parent, error)
