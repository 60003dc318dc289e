"""ThumbHash: about 25 bytes that show a blurred picture while the real one loads.

The format is Evan Wallace's (https://evanw.github.io/thumbhash/): the low frequencies of a cosine transform
of lightness L, yellow-blue P and red-green Q. Header: 6 bits each for the mean of L, P, Q, 5 bits for the
scale of L, a flag for alpha; then 3 bits for the number of L terms along the short side, 6 bits each for the
scales of P and Q, a flag for landscape; then 4 bits a coefficient. Our pictures are opaque: the alpha part is
neither written nor read.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.imaging.modes import fit
from vision.results import RGBImage

_Floats = npt.NDArray[np.float64]

#: The format allows no larger input.
MAX_EDGE: Final = 100
_L_TERMS: Final = 7
_DECODED_EDGE: Final = 32
#: Readers of the format draw colour a little stronger than measured, against the loss by quantisation.
_SATURATION: Final = 1.25


def thumbhash(image: Image.Image) -> bytes:
    """Encode an RGB image of any size; deterministic."""
    small = image.resize(fit(*image.size, MAX_EDGE), Image.Resampling.BOX, reducing_gap=2.0)
    rgb = np.asarray(small).astype(np.float64) / 255.0
    height, width = rgb.shape[:2]
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    across, down = _terms(width, height)
    l_mean, l_scale, l_terms = _encode_channel((red + green + blue) / 3, max(3, across), max(3, down))
    p_mean, p_scale, p_terms = _encode_channel((red + green) / 2 - blue, 3, 3)
    q_mean, q_scale, q_terms = _encode_channel(red - green, 3, 3)
    landscape = width > height
    head = (
        _round(63 * l_mean)
        | _round(31.5 + 31.5 * p_mean) << 6
        | _round(31.5 + 31.5 * q_mean) << 12
        | _round(31 * l_scale) << 18
    )
    tail = (
        (down if landscape else across)
        | _round(63 * p_scale) << 3
        | _round(63 * q_scale) << 9
        | int(landscape) << 15
    )
    return head.to_bytes(3, "little") + tail.to_bytes(2, "little") + _pack([*l_terms, *p_terms, *q_terms])


def decode(value: bytes) -> RGBImage:
    """The blurred picture: uint8 [height, width, 3], long edge 32. Raises ValueError for anything else."""
    head, tail, nibbles = _parse(value)
    across, down = _shape(tail)
    size = _fit_decoded(across, down)
    grid = (max(3, across), max(3, down))
    l_count, colour_count = len(_frequencies(*grid)), len(_frequencies(3, 3))
    if len(nibbles) < l_count + 2 * colour_count:
        raise ValueError(f"A thumbhash of {len(value)} bytes is too short.")
    terms = (np.array(nibbles, dtype=np.float64) / 7.5 - 1.0).tolist()
    means = _means(head)
    p_scale, q_scale = (_SATURATION * (tail >> shift & 63) / 63 for shift in (3, 9))
    lightness = _decode_channel(means[0], (head >> 18 & 31) / 31, terms[:l_count], grid, size)
    p = _decode_channel(means[1], p_scale, terms[l_count:], (3, 3), size)
    q = _decode_channel(means[2], q_scale, terms[l_count + colour_count :], (3, 3), size)
    blue = lightness - 2 / 3 * p
    red = (3 * lightness - blue + q) / 2
    rgb = np.stack([red, red - q, blue], axis=-1)
    return np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)


def average_colour(value: bytes) -> tuple[int, int, int]:
    """The mean colour a thumbhash carries. Raises ValueError when it is no thumbhash."""
    lightness, p, q = _means(_parse(value)[0])
    blue = lightness - 2 / 3 * p
    red = (3 * lightness - blue + q) / 2
    levels = [_round(255 * min(1.0, max(0.0, channel))) for channel in (red, red - q, blue)]
    return levels[0], levels[1], levels[2]


def _means(head: int) -> tuple[float, float, float]:
    return (head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1


def _fit_decoded(across: int, down: int) -> tuple[int, int]:
    scale = _DECODED_EDGE / max(across, down)
    return max(1, _round(across * scale)), max(1, _round(down * scale))


def _terms(width: int, height: int) -> tuple[int, int]:
    long = max(width, height)
    return max(1, _round(_L_TERMS * width / long)), max(1, _round(_L_TERMS * height / long))


def _shape(tail: int) -> tuple[int, int]:
    """Number of L terms across and down, which is also the approximate shape."""
    short = max(1, tail & 7)
    return (_L_TERMS, short) if tail >> 15 else (short, _L_TERMS)


def _round(value: float) -> int:
    """Half up, as the format's reference does (Python rounds half to even)."""
    return math.floor(value + 0.5)


def _frequencies(across: int, down: int) -> list[tuple[int, int]]:
    """(x, y) of the kept coefficients, without the mean: the triangle of low frequencies, row by row."""
    triangle = [(x, y) for y in range(down) for x in range(across) if x * down < across * (down - y)]
    return triangle[1:]


def _cosines(length: int, terms: int) -> _Floats:
    """[terms, length]: cos(pi / length * k * (i + 1/2))."""
    values: _Floats = np.cos(np.pi / length * np.outer(np.arange(terms), np.arange(length) + 0.5))
    return values


def _encode_channel(channel: _Floats, across: int, down: int) -> tuple[float, float, list[float]]:
    """Mean, scale, and the coefficients moved to 0..1."""
    height, width = channel.shape
    spectrum = _cosines(height, down) @ channel @ _cosines(width, across).T / (width * height)
    kept = [float(spectrum[y, x]) for x, y in _frequencies(across, down)]
    scale = max((abs(value) for value in kept), default=0.0)
    moved = [0.5 + 0.5 / scale * value if scale > 0 else 0.0 for value in kept]
    return float(spectrum[0, 0]), scale, moved


def _decode_channel(
    mean: float, scale: float, terms: list[float], frequencies: tuple[int, int], size: tuple[int, int]
) -> _Floats:
    spectrum = np.zeros((frequencies[1], frequencies[0]))
    for (x, y), value in zip(_frequencies(*frequencies), terms, strict=False):
        spectrum[y, x] = value * scale * 2
    spectrum[0, 0] = mean
    channel: _Floats = _cosines(size[1], frequencies[1]).T @ spectrum @ _cosines(size[0], frequencies[0])
    return channel


def _pack(values: list[float]) -> bytes:
    """Numbers in 0..1 as 4 bits each, low half first."""
    nibbles = [_round(15 * value) for value in values]
    nibbles += [0] * (len(nibbles) % 2)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _parse(value: bytes) -> tuple[int, int, list[int]]:
    if len(value) < 5 or value[2] & 0x80:
        raise ValueError("Not a thumbhash of an opaque picture.")
    nibbles = [half for byte in value[5:] for half in (byte & 15, byte >> 4)]
    return int.from_bytes(value[:3], "little"), int.from_bytes(value[3:5], "little"), nibbles
