"""A face cut out of a rendition: a small square with some air around it."""

from __future__ import annotations

import os
from typing import Final

from PIL import Image

from vision.errors import ImageRejected
from vision.imaging.modes import shrink
from vision.imaging.renditions import encode_jpeg
from vision.results import Box

PORTRAIT_EDGE: Final = 192
#: Detectors' boxes end at brows and chin; with half of the box more, hair and neck are in the picture.
_AIR: Final = 1.5
_QUALITY: Final = 82


def cut_portrait(path: str | os.PathLike[str], box: Box, *, edge: int = PORTRAIT_EDGE) -> bytes:
    """A JPEG of at most ``edge`` pixels a side around ``box`` (fractions) of one of our own renditions.

    Raises FileNotFoundError, and ImageRejected when the rendition is broken.
    """
    with Image.open(path, formats=("JPEG",)) as image:
        frame = square(box, image.size)
        scale = edge / max(frame[2] - frame[0], 1)
        try:
            # libjpeg decodes at an eighth, a quarter or a half for a fraction of the cost.
            image.draft("RGB", (round(image.width * scale), round(image.height * scale)))
            frame = square(box, image.size)
            small = shrink(image.convert("RGB").crop(frame), (edge, edge))
        except OSError as error:
            raise ImageRejected(f"{path}: {error}") from error
    return encode_jpeg(small, _QUALITY)


def square(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pixels (left, top, right, bottom) of the square around ``box``, moved inside the picture."""
    width, height = size
    side = round(max(box.width * width, box.height * height) * _AIR)
    side = max(1, min(side, width, height))
    left = round((box.x + box.width / 2) * width - side / 2)
    top = round((box.y + box.height / 2) * height - side / 2)
    left, top = min(max(left, 0), width - side), min(max(top, 0), height - side)
    return left, top, left + side, top + side
