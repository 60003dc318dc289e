"""Free text → a vector in the active image space, and how similar unrelated texts and pictures are there.

Cosines of different models lie on different scales (CLIP: about 0.15 for what is unrelated, 0.3 for what
matches; SigLIP: about 0 and 0.1), so a fixed threshold cannot work. The scale is measured instead: the
similarities between ``REFERENCES``, texts about very different things, and a sample of the library's own
photos. Nearly all of these pairs are unrelated. Their median is the centre; the spread is taken on its left
side (median minus 16th percentile, one standard deviation of a normal distribution), where the few pairs
that do match cannot widen it. This works for three photos as for a million, and for a library in which
most photos match the query, which the query's own distribution would not.

From centre and spread follow two numbers (``Scale``):

- the gate: the best photo must stand clear of the best that n unrelated photos would give by chance, which
  for normal noise is about sqrt(2 ln n) spreads (extreme value theory), and at least ``CLEAR`` spreads.
  Otherwise nothing matches: words the model does not know rank flat.
- the cut: what is kept then is at least ``KEPT`` spreads clear, and at least half way from the centre to
  the best.

With LOCAL_CROPS a photo's similarity is ``(1 - CROP_WEIGHT)`` of the whole and ``CROP_WEIGHT`` of its best
part. The best of five is higher by chance, too, so the scale is measured with the same formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import connection
from pgvector import Vector

from library import engines
from library.models import EmbeddingSpace
from search.results import Notice
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import TextEmbedder
from vision.results import Vectors

REFERENCES = (
    "a cat",
    "a dog",
    "a bird",
    "a horse",
    "a car",
    "an aeroplane",
    "a sailing boat",
    "a castle",
    "mountains with snow",
    "the sea at sunset",
    "a street at night",
    "a birthday cake",
    "a pizza",
    "a cup of coffee",
    "flowers in a garden",
    "a printed receipt",
    "a computer screen",
    "a football match",
    "a violin",
    "a bride and groom",
    "a sleeping baby",
    "a submarine",
    "a wooden chair",
    "a map",
)
SAMPLE = 32
CLEAR = 3.5
KEPT = 2.5
MIN_SPREAD = 0.01
CROP_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Scale:
    """How similar unrelated texts and pictures are in a space: the centre, and one standard deviation."""

    centre: float
    spread: float

    def gate(self, photos: int) -> float:
        """What the best of so many photos must reach for anything to match."""
        return self.centre + self.spread * max(CLEAR, math.sqrt(2 * math.log(max(photos, 2))))

    @property
    def floor(self) -> float:
        """What every photo that is kept must reach."""
        return self.centre + self.spread * KEPT


@dataclass(frozen=True, slots=True)
class Meaning:
    """A text in the active space."""

    space_id: int
    dimensions: int
    vector: Vectors
    scale: Scale
    crops: bool = False


def understand(text: str) -> Meaning | Notice:
    """The vector of a text, or the reason why there is none and what helps.

    Vectors are comparable only within a space: a text is embedded by the model that the active space was
    filled by, also when the settings name another one by now.
    """
    try:
        registry = engines.registry()
        space = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
        if space is None:
            registry.text_embedder()  # without a model, that is what has to be said
            return _NO_PHOTOS
        embedder = registry.text_embedder_for(space.info, space.source)
        vector = embedder.embed_texts([text])[0]
        scale = _scale(space, _references(embedder), crops=settings.LOCAL_CROPS)
    except EngineUnavailable as error:
        return Notice(f"Searching by meaning is off: {error.reason}", error.remedy)
    except EngineFailed as error:
        return Notice(f"Searching by meaning failed: {error}", "Run `manage.py library_status`.")
    return Meaning(space.pk, space.dimensions, vector, scale, crops=settings.LOCAL_CROPS)


_NO_PHOTOS = Notice(
    "Searching by meaning is off: no photo was looked at by the model yet.", "Run `manage.py process`."
)


# Of the last embedder only, and without holding on to it: a model that was replaced can be let go.
_references_of: dict[str, Vectors] = {}


def _references(embedder: TextEmbedder) -> Vectors:
    """Embedded once for every identity the embedder takes on in this process."""
    identity = embedder.engine_id
    found = _references_of.get(identity)
    if found is None:
        found = embedder.embed_texts(REFERENCES)
        _references_of.clear()
        _references_of[identity] = found
    return found


@cache
def _sample_statement() -> str:
    return (Path(__file__).parent / "sql" / "sample.sql").read_text(encoding="utf-8")


def _scale(space: EmbeddingSpace, references: Vectors, *, crops: bool) -> Scale:
    with connection.cursor() as cursor:
        cursor.execute(_sample_statement(), {"space": space.pk, "size": SAMPLE, "crops": crops})
        rows = cursor.fetchall()
    if not rows:
        return Scale(0.0, 1.0)
    similarities = np.stack([_similarities(vector, parts, references) for vector, parts in rows])
    low, centre = np.percentile(similarities, (16, 50))
    return Scale(float(centre), max(float(centre - low), MIN_SPREAD))


def _similarities(vector: str, parts: Sequence[str], references: Vectors) -> npt.NDArray[np.float32]:
    """[R] of a photo with each reference, as the ranking counts it."""
    whole: npt.NDArray[np.float32] = references @ Vector.from_text(vector).to_numpy()
    if not parts:
        return whole
    each = references @ np.stack([Vector.from_text(part).to_numpy() for part in parts]).T
    similarities: npt.NDArray[np.float32] = (1 - CROP_WEIGHT) * whole + CROP_WEIGHT * each.max(axis=1)
    return similarities
