"""The common case fast: a large JPEG in RGB to a small one, with libvips.

Pillow reads the header, decides whether a file is taken, and decodes everything else. libvips decodes with
the same library (libjpeg) and scales with vector instructions, at three fifths of Pillow's cost.
What it does not read without a single warning is left to Pillow, so that every file is taken or refused as if
there were no libvips, with the same words. Only its reader of JPEG is ever called.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any, Final

from PIL import Image

_FORMATS: Final = frozenset({"JPEG", "MPO"})
#: What libjpeg can divide by while it decodes, for next to nothing.
_SHRINKS: Final = (8, 4, 2, 1)


def shrink_jpeg(data: bytes, header: Image.Image, target: tuple[int, int]) -> Image.Image | None:
    """The picture scaled to ``target``, its rows as they are stored; None when Pillow has to decode it.

    ``header`` is the picture as Pillow opened it, not loaded. The colour profile goes along in ``info``.
    """
    full = header.size
    if header.format not in _FORMATS or header.mode != "RGB" or not _is_smaller(target, full):
        return None
    shrink = next(by for by in _SHRINKS if min(full[0] // target[0], full[1] // target[1]) >= by)
    pyvips = _vips()
    try:
        picture = pyvips.Image.jpegload_buffer(data, shrink=shrink, access="sequential", fail_on="warning")
        # It cuts off what does not come out even, where Pillow keeps it.
        expected = (-(-full[0] // shrink), -(-full[1] // shrink))
        if (picture.width, picture.height) != expected or picture.bands != len("RGB"):
            return None
        across, down = target[0] / picture.width, target[1] / picture.height
        small = picture.resize(across, vscale=down, kernel="cubic")
        pixels = small.write_to_memory()
    except pyvips.Error:
        return None
    if (small.width, small.height) != target:
        return None
    image = Image.frombytes("RGB", target, pixels)
    if profile := header.info.get("icc_profile"):
        image.info["icc_profile"] = profile
    return image


def _is_smaller(target: tuple[int, int], full: tuple[int, int]) -> bool:
    return target != full and target[0] <= full[0] and target[1] <= full[1]


@cache
def _vips() -> Any:
    """The library, set up at its first use: in a worker, after the last fork."""
    # The files lane has as many threads as it should have.
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    # What it says about broken files would be said twice.
    logging.getLogger("pyvips").setLevel(logging.CRITICAL)
    import pyvips

    # It would keep the last operations, and with them the originals.
    pyvips.cache_set_max(0)
    return pyvips
