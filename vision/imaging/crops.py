"""Five parts of a picture that are looked at by themselves: small things are large in one of them.

Each has half the width and half the height: the four quarters, which together are the whole picture, and the
middle, which holds what the borders between them cut through.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from vision.results import Box, RGBImage

POSITIONS: Final = ("centre", "top left", "top right", "bottom left", "bottom right")
_HALF = 0.5
_CORNERS = ((0.25, 0.25), (0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))


def crop_boxes() -> tuple[Box, ...]:
    """Where the crops lie, in the order of ``POSITIONS``."""
    return tuple(Box(x, y, _HALF, _HALF) for x, y in _CORNERS)


def crops(image: RGBImage) -> list[RGBImage]:
    """The five crops of an upright picture, in the order of ``POSITIONS``.

    Sides are halved upwards, so that an odd row belongs to both quarters and no crop is ever empty: of a
    picture that is one pixel wide every crop has that width.
    """
    height, width = image.shape[:2]
    tall, wide = -(-height // 2), -(-width // 2)
    return [
        np.ascontiguousarray(image[top : top + tall, left : left + wide])
        for top, left in (
            (round(y * 2 * (height - tall)), round(x * 2 * (width - wide))) for x, y in _CORNERS
        )
    ]
