"""Free text, a picture or both → a vector of an image space, and how similar unrelated things are there.

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

A picture is compared with the same photos of the library: other pictures are on a scale of their own, too.

With LOCAL_CROPS a photo's similarity is ``(1 - CROP_WEIGHT)`` of the whole and ``CROP_WEIGHT`` of its best
part. The best of five is higher by chance, too, so the scale is measured with the same formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import connection

from library import engines
from library.models import EmbeddingSpace
from search import caching
from search.results import Notice, Picture
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
WEAK = 1.0
SHARE = 0.5
TEMPERATURE = 1.5
MIN_SPREAD = 0.01
CROP_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Scale:
    """How similar unrelated things are in a space: the centre, and one standard deviation.

    ``gated``: whether anything must stand clear at all. A picture always has nearest ones, a text need not.
    """

    centre: float
    spread: float
    gated: bool = True

    def gate(self, photos: int) -> float:
        """What the best of so many photos must reach for anything to match."""
        if not self.gated:
            return -1.0
        return self.centre + self.spread * max(CLEAR, math.sqrt(2 * math.log(max(photos, 2))))

    @property
    def floor(self) -> float:
        """What every photo that is kept must reach."""
        return self.centre + self.spread * KEPT

    @property
    def weak(self) -> float:
        """What a photo must reach to be a weaker match."""
        return self.centre + self.spread * WEAK

    def strength(self, similarity: float) -> float:
        """0..1: a logistic curve over spreads from the centre, one half at ``CLEAR``.

        What is unrelated has less than 0.1, whatever the model: its scale is taken out first.
        """
        clear = (similarity - self.centre) / self.spread
        return 1 / (1 + math.exp(-max(-50.0, min((clear - CLEAR) / TEMPERATURE, 50.0))))


@dataclass(frozen=True, slots=True)
class Meaning:
    """A unit vector of an image space to rank by."""

    space_id: int
    dimensions: int
    vector: Vectors
    scale: Scale
    crops: bool = False


_NO_PHOTOS = Notice(
    "Searching by meaning is off: no photo was looked at by the model yet.", "Run `manage.py process`."
)


def understand(text: str, picture: Picture | None = None) -> tuple[Meaning | None, Notice | None]:
    """The vector of a text, a picture or both; or the reason why there is none, and what helps.

    Vectors are comparable only within a space: a text is embedded by the model that the space was filled by,
    also when the settings name another one by now. When the text cannot be embedded, the picture ranks alone.
    """
    try:
        space = _space(picture)
        if space is None:
            if picture is None:
                engines.registry().text_embedder()  # without a model, that is what has to be said
            return None, _NO_PHOTOS
        return _understood(space, text, picture), None
    except EngineUnavailable as error:
        notice = Notice(f"Searching by meaning is off: {error.reason}", error.remedy)
    except EngineFailed as error:
        notice = Notice(f"Searching by meaning failed: {error}", "Run `manage.py library_status`.")
    return (understand("", picture)[0] if picture is not None else None), notice


def text_vector(embedder: TextEmbedder, text: str) -> Vectors:
    """[D] of a text, of unit length. The one place where what was typed is embedded, or remembered."""
    return caching.text_vector(embedder, text)


def _space(picture: Picture | None) -> EmbeddingSpace | None:
    if picture is None:
        return EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
    return EmbeddingSpace.objects.filter(pk=picture.space_id, kind=EmbeddingSpace.Kind.IMAGE).first()


def _understood(space: EmbeddingSpace, text: str, picture: Picture | None) -> Meaning:
    crops: bool = settings.LOCAL_CROPS
    sample = _sample(space, crops=crops)
    if picture is not None and (not text or picture.weight >= 1):
        vector, scale = picture.vector, _scale(sample, sample.wholes, of_pictures=True)
        return Meaning(space.pk, space.dimensions, vector, scale, crops)
    embedder = engines.registry().text_embedder_for(space.info, space.source)
    vector, references = text_vector(embedder, text), _references(embedder)
    if picture is None:
        return Meaning(space.pk, space.dimensions, vector, _scale(sample, references), crops)
    vector = _mixed(picture.vector, vector, picture.weight)
    texts = np.resize(references, (len(sample.wholes), references.shape[1]))
    scale = _scale(sample, _mixed(sample.wholes, texts, picture.weight), of_pictures=True)
    return Meaning(space.pk, space.dimensions, vector, scale, crops)


def _mixed(picture: Vectors, text: Vectors, weight: float) -> Vectors:
    mixed = weight * picture + (1 - weight) * text
    length = np.linalg.norm(mixed, axis=-1, keepdims=True)
    unit: Vectors = (mixed / np.maximum(length, 1e-9)).astype(np.float32)
    return unit


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


@dataclass(frozen=True, slots=True)
class _Sample:
    """Photos of a space: their vectors [S, D], and those of the parts of each [P, D], maybe none."""

    wholes: Vectors
    parts: list[Vectors]


def _sample(space: EmbeddingSpace, *, crops: bool) -> _Sample:
    """Photos of the space; the same ones as long as no vector was added anywhere."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT max(id) FROM library_photoembedding), "
            "(SELECT max(id) FROM library_cropembedding WHERE %s)",
            [crops],
        )
        newest = cursor.fetchone()
    return _sample_at(space.pk, space.dimensions, newest, crops=crops)


@lru_cache(maxsize=4)
def _sample_at(
    space_id: int, dimensions: int, newest: tuple[int | None, int | None], *, crops: bool
) -> _Sample:
    with connection.cursor() as cursor:
        cursor.execute(_sample_statement(), {"space": space_id, "size": SAMPLE, "crops": crops})
        rows = cursor.fetchall()
    wholes = [_vector(whole) for whole, _ in rows]
    parts = [np.stack([_vector(part) for part in found]) if found else _NONE for _, found in rows]
    return _Sample(np.stack(wholes) if wholes else np.zeros((0, dimensions), np.float32), parts)


_NONE: Vectors = np.zeros((0, 0), np.float32)


def _vector(text: str) -> Vectors:
    vector: Vectors = np.fromstring(text[1:-1], np.float32, sep=",")
    return vector


def _scale(sample: _Sample, queries: Vectors, *, of_pictures: bool = False) -> Scale:
    """Measured on the similarities of each query [Q, D] with each photo of the sample.

    Queries that were made ``of_pictures`` of the sample are not compared with their own.
    """
    similarities = sample.wholes @ queries.T
    for number, parts in enumerate(sample.parts):
        if len(parts):
            best = (parts @ queries.T).max(axis=0)
            similarities[number] = (1 - CROP_WEIGHT) * similarities[number] + CROP_WEIGHT * best
    if of_pictures:
        similarities = similarities[~np.eye(len(similarities), dtype=bool)]
    if not similarities.size:
        return Scale(0.0, 1.0, gated=not of_pictures)
    low, centre = np.percentile(similarities, (16, 50))
    return Scale(float(centre), max(float(centre - low), MIN_SPREAD), gated=not of_pictures)
