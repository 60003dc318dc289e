"""A small world to search in: an embedder that knows a few words, and photos with words and vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from library.models import EmbeddingSpace, Photo
from library.tests.factories import add_embedding, add_tag, add_text, make_photo, make_space, make_user
from search import caching, lexicon, library_words
from search.indexing import index_photos
from vision.errors import EngineUnavailable
from vision.results import SpaceInfo, Vectors

CONCEPTS = ("cat", "dog", "beach", "car", "receipt")
DIMENSIONS = 16
BASE = 0.17


def concept_vector(*concepts: str, noise: int | None = None) -> Vectors:
    """A unit vector that leans to these concepts; pictures and texts of different ones have cosine ``BASE``.

    Axis 0 is what everything has in common, axes 1.. are the concepts, the last ones are noise.
    """
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for concept in concepts:
        if concept in CONCEPTS:
            vector[1 + CONCEPTS.index(concept)] = 1
    if noise is not None:
        vector[1 + len(CONCEPTS) :] = np.random.default_rng(noise).normal(size=DIMENSIONS - 1 - len(CONCEPTS))
    norm = float(np.linalg.norm(vector))
    vector *= np.sqrt(1 - BASE) / (norm or 1)
    vector[0] = np.sqrt(BASE) if norm else 1
    return vector / np.linalg.norm(vector)


class SmallEmbedder:
    """A ``TextEmbedder`` that knows five words; every other text is equally far from every picture."""

    engine_id = "test/small@1"
    space = SpaceInfo("test", "small", DIMENSIONS)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([concept_vector(*text.lower().replace(",", " ").split()) for text in texts])


class SmallRegistry:
    """As much of the registry as search uses."""

    def __init__(self, embedder: SmallEmbedder | None) -> None:
        self.embedder = embedder

    def text_embedder(self) -> SmallEmbedder:
        if self.embedder is None:
            raise EngineUnavailable("There is no CLIP model.", "Set CLIP_ONNX_DIR.")
        return self.embedder

    def image_embedder(self) -> SmallEmbedder:
        return self.text_embedder()

    def image_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> SmallEmbedder:
        return self.text_embedder_for(space, source)

    def text_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> SmallEmbedder:
        if self.text_embedder().space != space:
            reason = f"the photos were looked at by {space.engine}/{space.model}."
            raise EngineUnavailable(reason, "Put the files back.")
        return self.text_embedder()


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Each test starts with an empty memory: embedders of tests share a name."""
    caching.forget()
    lexicon.forget()
    library_words.forget()


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> SmallEmbedder:
    """Searching by meaning is on."""
    small = SmallEmbedder()
    monkeypatch.setattr("library.engines.registry", lambda: SmallRegistry(small))
    return small


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is there."""
    monkeypatch.setattr("library.engines.registry", lambda: SmallRegistry(None))


@pytest.fixture
def owner(db: None) -> User:
    user: User = make_user("owner", owner=True)
    return user


@pytest.fixture
def space(db: None) -> EmbeddingSpace:
    return make_space(dimensions=DIMENSIONS)


@pytest.fixture
def photo_of(space: EmbeddingSpace) -> Callable[..., Photo]:
    """Make a photo that shows concepts, with its words, indexed."""

    def make(
        *concepts: str,
        path: str = "",
        tags: Sequence[str] = (),
        text: str = "",
        indexed: bool = True,
        **fields: Any,
    ) -> Photo:
        photo = make_photo(path, **fields)
        for tag in tags:
            add_tag(photo, tag)
        if text:
            add_text(photo, text)
        add_embedding(photo, list(concept_vector(*concepts, noise=photo.pk if not concepts else None)), space)
        if indexed:
            index_photos([photo.pk])
        return photo

    return make
