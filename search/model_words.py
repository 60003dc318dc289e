"""Which words the model knows that answers searches by meaning."""

from __future__ import annotations

from library import engines
from library.models import EmbeddingSpace
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import WordKnower


def model_knows(word: str) -> bool:
    """Whether a word is in the vocabulary of the active image space's model; False without a model."""
    space = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
    if space is None:
        return False
    try:
        embedder = engines.registry().text_embedder_for(space.info, space.source)
        return isinstance(embedder, WordKnower) and embedder.knows_word(word)
    except (EngineUnavailable, EngineFailed):
        return False
