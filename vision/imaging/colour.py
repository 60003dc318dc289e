"""The few colours a picture is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.imaging.modes import fit

_Floats = npt.NDArray[np.float64]

_SAMPLE_EDGE: Final = 64
_BITS: Final = 4
_CANDIDATES: Final = 8
_ROUNDS: Final = 8
#: CIE76 distance below which two colours pass for the same at a glance (a just noticeable one is about 2.3).
_SAME_COLOUR: Final = 14.0

#: Linear sRGB to CIE XYZ (IEC 61966-2-1), already divided by the D65 white point.
_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / np.array([[0.95047], [1.0], [1.08883]])


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour, the share of the picture it stands for (0..1), and where it lies in CIE Lab (D65)."""

    rgb: tuple[int, int, int]
    share: float
    lab: tuple[float, float, float]


def dominant_colours(image: Image.Image, count: int = 5) -> tuple[Colour, ...]:
    """At most ``count`` colours of an RGB image, the largest share first; the shares add up to 1.

    Weighted k-means in CIE Lab over a 12-bit colour histogram, started from the heaviest and then the most
    distant heavy colours, so that the same pixels always give the same answer.
    """
    colours, weights = _histogram(image)
    lab = rgb_to_lab(colours)
    labels = _cluster(lab, weights, _start(lab, weights))
    clusters = _merge([_Cluster.of(colours, weights, labels == k) for k in np.unique(labels)])
    kept = sorted(clusters, key=lambda cluster: (-cluster.weight, cluster.rgb))[:count]
    total = sum(cluster.weight for cluster in kept)
    return tuple(cluster.as_colour(total) for cluster in kept)


def rgb_to_lab(colours: _Floats) -> _Floats:
    """[N, 3] sRGB in 0..255 to CIE Lab, D65 white (CIE 15:2004)."""
    share = colours / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab: _Floats = np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )
    return lab


@dataclass(frozen=True, slots=True)
class _Cluster:
    rgb: tuple[float, float, float]
    weight: float

    @classmethod
    def of(cls, colours: _Floats, weights: _Floats, members: npt.NDArray[np.bool_]) -> _Cluster:
        red, green, blue = np.average(colours[members], axis=0, weights=weights[members]).tolist()
        return cls(rgb=(red, green, blue), weight=float(weights[members].sum()))

    def as_colour(self, total: float) -> Colour:
        red, green, blue = (round(value) for value in self.rgb)
        lightness, a, b = rgb_to_lab(np.array([[red, green, blue]], dtype=np.float64))[0].tolist()
        return Colour(
            rgb=(red, green, blue),
            share=round(self.weight / total, 4),
            lab=(round(lightness, 2), round(a, 2), round(b, 2)),
        )


def _histogram(image: Image.Image) -> tuple[_Floats, _Floats]:
    """The mean colour [N, 3] and weight [N] of every occupied cell of the colour cube."""
    small = image.resize(fit(*image.size, _SAMPLE_EDGE), Image.Resampling.BOX, reducing_gap=2.0)
    pixels = np.asarray(small).reshape(-1, 3).astype(np.int64)
    shift = 8 - _BITS
    cells = (
        ((pixels[:, 0] >> shift) << (2 * _BITS)) | ((pixels[:, 1] >> shift) << _BITS) | pixels[:, 2] >> shift
    )
    counts = np.bincount(cells)
    used = np.flatnonzero(counts)
    sums = np.stack([np.bincount(cells, weights=pixels[:, k])[used] for k in range(3)], axis=1)
    weights = counts[used].astype(np.float64)
    return sums / weights[:, None], weights


def _start(lab: _Floats, weights: _Floats) -> _Floats:
    chosen = [int(np.argmax(weights))]
    nearest = np.full(len(lab), np.inf)
    while len(chosen) < min(_CANDIDATES, len(lab)):
        nearest = np.minimum(nearest, ((lab - lab[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest * weights)))
    return lab[chosen]


def _cluster(lab: _Floats, weights: _Floats, centres: _Floats) -> npt.NDArray[np.intp]:
    for _ in range(_ROUNDS):
        labels = _nearest(lab, centres)
        mass = np.bincount(labels, weights=weights, minlength=len(centres))
        sums = np.stack(
            [np.bincount(labels, weights=weights * lab[:, k], minlength=len(centres)) for k in range(3)],
            axis=1,
        )
        centres = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-9)[:, None], centres)
    return _nearest(lab, centres)


def _nearest(lab: _Floats, centres: _Floats) -> npt.NDArray[np.intp]:
    distances = ((lab[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    labels: npt.NDArray[np.intp] = np.argmin(distances, axis=1)
    return labels


def _merge(clusters: list[_Cluster]) -> list[_Cluster]:
    """Join the closest two until no two look alike."""
    while len(clusters) > 1:
        lab = rgb_to_lab(np.array([cluster.rgb for cluster in clusters], dtype=np.float64))
        distances = np.sqrt(((lab[:, None] - lab[None]) ** 2).sum(axis=2))
        np.fill_diagonal(distances, np.inf)
        first, second = divmod(int(np.argmin(distances)), len(clusters))
        if distances[first, second] >= _SAME_COLOUR:
            break
        joined = _Cluster.of(
            np.array([clusters[first].rgb, clusters[second].rgb]),
            np.array([clusters[first].weight, clusters[second].weight]),
            np.array([True, True]),
        )
        clusters = [c for k, c in enumerate(clusters) if k not in (first, second)] + [joined]
    return clusters
