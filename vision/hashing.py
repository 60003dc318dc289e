"""PDQ, the perceptual hash: pictures that look the same differ in few of 256 bits.

Algorithm and thresholds: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm"
(Facebook, 2019).
Its authors call two pictures the same up to a distance of 31, and a hash of quality below 50 unfit for
comparing (it has too little structure: a white page, a clear sky).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pdqhash
from PIL import Image

from vision.imaging.modes import fit, shrink
from vision.results import PerceptualHash, RGBImage

#: The algorithm reduces to 64 x 64 anyway; from 512 pixels it does so a hundred times faster than from 12
#: megapixels, at a cost of about 4 bits of 256.
LONG_EDGE: Final = 512
BITS: Final = 256


class PdqHasher:
    """Implements PerceptualHasher."""

    @property
    def engine_id(self) -> str:
        """Changes when hashes of before and after must not be compared."""
        return f"pdq/1@{LONG_EDGE}"

    def hash_images(self, images: Sequence[RGBImage]) -> list[PerceptualHash]:
        """One hash a picture, in their order; uint8 [height, width, 3] each."""
        return [_hash(image) for image in images]


def hamming_distance(first: bytes, second: bytes) -> int:
    """Number of differing bits of two hashes. Raises ValueError when they are not of one length."""
    if len(first) != len(second):
        raise ValueError(f"Hashes of {len(first)} and {len(second)} bytes cannot be compared.")
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()


def _hash(image: RGBImage) -> PerceptualHash:
    picture = Image.fromarray(image)
    small = np.array(shrink(picture, fit(*picture.size, LONG_EDGE)))
    bits, quality = pdqhash.compute(small)
    return PerceptualHash(bits=np.packbits(bits.astype(np.uint8)).tobytes(), quality=int(quality))
