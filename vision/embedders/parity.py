"""Whether two embedders give the same vectors: test pictures, test texts, and their cosines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vision.ports import Embedder
from vision.results import RGBImage, Vectors

TEXTS = (
    "a photo of a cat",
    "two children on a beach at sunset",
    "Grandmother's birthday cake, 1987",
    "a page of a book",
    "Ein Boot im Hafen",
    "naïve café, über den Straßen",
    "dog",
    "an aerial photograph of a city at night with many lights along a river and a bridge in the fog",
)
_SIZES = ((640, 480), (480, 640), (512, 512), (700, 300), (225, 224), (1024, 768))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines between the vectors of two embedders for the same input: the lowest and the mean."""

    pictures_lowest: float
    pictures_mean: float
    texts_lowest: float
    texts_mean: float

    @property
    def lowest(self) -> float:
        """The worst of all."""
        return min(self.pictures_lowest, self.texts_lowest)

    @property
    def distance(self) -> float:
        """The largest cosine distance, 0 for equal vectors."""
        return 1 - self.lowest


def drawn_pictures() -> list[RGBImage]:
    """Pictures made on the spot, always the same: shapes on gradients, some with noise."""
    random = np.random.default_rng(19)
    return [_drawn(width, height, random, noisy=i % 2 == 1) for i, (width, height) in enumerate(_SIZES)]


def _drawn(width: int, height: int, random: np.random.Generator, *, noisy: bool) -> RGBImage:
    corners = random.uniform(0, 255, (2, 2, 3)).astype(np.uint8)
    picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        x, y = random.uniform(0, (width, height))
        side = random.uniform(0.05, 0.4) * min(width, height)
        red, green, blue = (int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x, y, x + side, y + side), fill=(red, green, blue))
    pixels = np.asarray(picture).astype(np.float64)
    if noisy:
        pixels += random.normal(0, 25, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def embed_samples(embedder: Embedder, pictures: Sequence[RGBImage]) -> tuple[Vectors, Vectors]:
    """The vectors of the pictures and of ``TEXTS``: the first alone, the others at once."""
    alone, words = embedder.embed_images(pictures[:1]), embedder.embed_texts(TEXTS[:1])
    return (
        np.concatenate([alone, embedder.embed_images(pictures[1:])]),
        np.concatenate([words, embedder.embed_texts(TEXTS[1:])]),
    )


def agreement(first: tuple[Vectors, Vectors], second: tuple[Vectors, Vectors]) -> Agreement:
    """Compare what ``embed_samples`` gave for two embedders."""
    pictures, texts = ((a * b).sum(axis=1) for a, b in zip(first, second, strict=True))
    return Agreement(float(pictures.min()), float(pictures.mean()), float(texts.min()), float(texts.mean()))
