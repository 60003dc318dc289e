"""Camera RAW through LibRaw: the camera's own JPEG when it is large enough, else a development of ours."""

from __future__ import annotations

from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any, Final

import rawpy
from PIL import Image

#: rawpy has no types; what we use of it is in this module only.
Negative = Any

#: A preview smaller than this is used only when it is nearly as large as the RAW itself.
PREVIEW_LONG_EDGE: Final = 2048
_NEARLY_FULL: Final = 0.9
#: LibRaw's ``flip`` to the EXIF orientation that says the same.
_ORIENTATION_OF_FLIP: Final = {0: 1, 3: 3, 5: 8, 6: 6}


def open_raw(data: bytes) -> AbstractContextManager[Negative]:
    """Header only. Raises rawpy.LibRawError."""
    negative: AbstractContextManager[Negative] = rawpy.imread(BytesIO(data))
    return negative


def orientation_of(negative: Negative) -> int:
    """The EXIF orientation of the sensor rows, as far as LibRaw knows it."""
    return _ORIENTATION_OF_FLIP.get(int(negative.sizes.flip), 1)


def upright_size(negative: Negative) -> tuple[int, int]:
    """Width and height of the developed picture, upright."""
    sizes = negative.sizes
    width, height = int(sizes.width), int(sizes.height)
    return (height, width) if orientation_of(negative) >= 5 else (width, height)


def embedded_jpeg(negative: Negative) -> bytes | None:
    """The largest JPEG the camera put into the file, or None."""
    try:
        thumbnail = negative.extract_thumb()
    except rawpy.LibRawError:
        return None
    return bytes(thumbnail.data) if thumbnail.format == rawpy.ThumbFormat.JPEG else None


def large_enough(preview: tuple[int, int], full: tuple[int, int], long_edge: int) -> bool:
    """Whether a preview of that size can stand for the picture."""
    return max(preview) >= max(PREVIEW_LONG_EDGE, long_edge) or max(preview) >= _NEARLY_FULL * max(full)


def turn_for_preview(negative: Negative, preview: tuple[int, int]) -> int:
    """The EXIF orientation by which to turn the embedded JPEG.

    Some cameras store it as the sensor saw it, some upright; its own tag is unreliable, its shape is not:
    when the sensor has to be turned by a quarter and the preview has the turned shape, it stands upright.
    """
    orientation = orientation_of(negative)
    width, height = upright_size(negative)
    already_turned = (width > height) == (preview[0] > preview[1]) and width != height
    return 1 if orientation >= 5 and already_turned else orientation


def develop(negative: Negative, long_edge: int) -> Image.Image:
    """Demosaic with the camera's white balance, at half size where that is enough (a quarter of the work)."""
    half = max(upright_size(negative)) // 2 >= long_edge
    pixels = negative.postprocess(use_camera_wb=True, half_size=half, output_bps=8)
    return Image.fromarray(pixels)
