"""Small pictures made on the spot, and the way to the real ones."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vision.tests.assets import PHOTOS

ASSETS = PHOTOS

assets = [
    pytest.mark.assets,
    pytest.mark.skipif(not ASSETS.is_dir(), reason="the real photos of ../shared/assets are not here"),
]

#: EXIF orientation to the transpose that produces the stored rows from the upright picture.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(width: int = 96, height: int = 64) -> Image.Image:
    """Red, green over blue, yellow: every turn and every mirror of it looks different."""
    image = Image.new("RGB", (width, height), (250, 220, 20))
    image.paste((220, 20, 20), (0, 0, width // 2, height // 2))
    image.paste((20, 160, 40), (width // 2, 0, width, height // 2))
    image.paste((20, 40, 200), (0, height // 2, width // 2, height))
    return image


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Photo-like: smooth blobs."""
    grain = np.random.default_rng(seed).integers(0, 255, (max(2, height // 16), max(2, width // 16), 3))
    return Image.fromarray(grain.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(image: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    """A file whose rows are stored so that the tag makes it upright."""
    turn = STORED_AS[orientation]
    stored = image if turn is None else image.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if kind in ("PNG", "TIFF") else {"quality": 95}
    # pillow-heif looks for the orientation in bytes only.
    return encoded(stored, kind, exif=exif.tobytes() if kind == "HEIF" else exif, **options)


def difference(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference of pixels, 0..255, at 64 pixels."""
    arrays = [np.asarray(image.convert("RGB").resize((64, 64))).astype(float) for image in (first, second)]
    return float(np.abs(arrays[0] - arrays[1]).mean())
