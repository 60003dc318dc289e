"""Any picture file to an upright sRGB image, bounded in size, or ImageRejected with the decoder's reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from vision.errors import ImageRejected
from vision.imaging import raw
from vision.imaging.decoders import DECODER_ERRORS, decoding, open_image
from vision.imaging.formats import FAMILIES
from vision.imaging.jpeg import shrink_jpeg
from vision.imaging.modes import fit, shrink, to_srgb
from vision.results import RGBImage

DEFAULT_MAX_PIXELS: Final = 200_000_000
DEFAULT_LONG_EDGE: Final = 2048

_ORIENTATION_TAG: Final = 0x0112
#: EXIF 2.32, tag 0x0112: what to do with the stored rows so that the picture stands upright.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Their decoders hand out upright rows already, whatever the tag says.
_UPRIGHT_DECODERS: Final = frozenset({"TIFF", "HEIF"})
_NO_PREVIEW: Final[tuple[type[Exception], ...]] = (*DECODER_ERRORS, ImageRejected)
_FORMAT_NAMES: Final = {"MPO": "JPEG", "HEIF": "HEIC", "DIB": "BMP"}


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture.

    ``image`` is RGB (sRGB) and no larger than what was asked for; ``width`` and ``height`` are those of the
    full upright picture; ``orientation`` is the EXIF orientation that was applied
    to get there (1 when the decoder itself hands out upright rows); ``frames`` > 1 for animations, of which
    ``image`` is the first.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    orientation: int = 1
    frames: int = 1


def read_picture(
    data: bytes,
    *,
    extension: str = "",
    long_edge: int = DEFAULT_LONG_EDGE,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Picture:
    """Decode the bytes of a file to an upright RGB image whose long edge is at most ``long_edge``.

    ``extension`` only tells RAW from the rest; everything else is recognised by content. Raises ImageRejected
    and nothing else for any bytes whatsoever.
    """
    with decoding():
        if FAMILIES.get(extension.lower()) == "raw":
            return _read_raw(data, extension.lower(), long_edge, max_pixels)
        return _read_pillow(data, long_edge, max_pixels)


def load_rgb(path: Path, long_edge: int | None = None) -> RGBImage:
    """Read one of our own previews fast: uint8 [height, width, 3], long edge at most ``long_edge``.

    Raises OSError when the file cannot be read and ImageRejected when it cannot be decoded.
    """
    data = path.read_bytes()
    with decoding():
        picture = _read_pillow(data, long_edge or DEFAULT_MAX_PIXELS, DEFAULT_MAX_PIXELS)
        return np.array(picture.image)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse decompression bombs by what the header says. Raises ImageRejected naming size and setting."""
    if width < 1 or height < 1:
        raise ImageRejected(f"the picture is empty ({width} x {height} pixels)")
    if width * height > max_pixels:
        raise ImageRejected(
            f"the picture has {width} x {height} = {width * height} pixels, "
            f"more than the limit of {max_pixels} (setting MAX_PIXELS)"
        )


def _read_pillow(data: bytes, long_edge: int, max_pixels: int) -> Picture:
    with open_image(data) as image:
        check_pixels(image.width, image.height, max_pixels)
        full = image.size
        pixels = _scaled(image, data, fit(*full, long_edge))
        # Only now: asking a PNG for its EXIF decodes it, and would swallow the failure of a truncated one.
        orientation = 1 if image.format in _UPRIGHT_DECODERS else _orientation(image)
        turn = _UPRIGHT.get(orientation)
        return Picture(
            image=_bare(pixels if turn is None else pixels.transpose(turn)),
            width=full[1] if orientation >= 5 else full[0],
            height=full[0] if orientation >= 5 else full[1],
            format=_FORMAT_NAMES.get(image.format or "", image.format or ""),
            orientation=orientation,
            frames=int(getattr(image, "n_frames", 1)),
        )


def _scaled(image: Image.Image, data: bytes, target: tuple[int, int]) -> Image.Image:
    """The opened picture as sRGB of at most ``target``, its rows as they are stored."""
    small = shrink_jpeg(data, image, target)
    if small is None:
        image.draft(None, target)
        image.load()
        small = image
    return to_srgb(small, target)


def _orientation(image: Image.Image) -> int:
    """1 for anything that is not one of the eight: bad EXIF never fails a photo."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bare(image: Image.Image) -> Image.Image:
    """Without EXIF, profile, comment: nothing of the original may slip into a rendition."""
    image = image if type(image) is Image.Image else image.copy()
    image.info = {}
    return image


def _read_raw(data: bytes, extension: str, long_edge: int, max_pixels: int) -> Picture:
    if not data:
        raise ImageRejected("the file is empty")
    with raw.open_raw(data) as negative:
        width, height = raw.upright_size(negative)
        check_pixels(width, height, max_pixels)
        developed = _embedded(negative, (width, height), long_edge, max_pixels)
        if developed is None:
            developed = raw.develop(negative, long_edge)
        return Picture(
            image=_bare(shrink(developed, fit(*developed.size, long_edge))),
            width=width,
            height=height,
            format=extension.upper(),
            orientation=raw.orientation_of(negative),
        )


def _embedded(
    negative: raw.Negative, size: tuple[int, int], long_edge: int, max_pixels: int
) -> Image.Image | None:
    """The camera's own JPEG inside a RAW, upright; None when there is none, or it is too small or broken."""
    preview = raw.embedded_jpeg(negative)
    if preview is None:
        return None
    try:
        with open_image(preview) as image:
            check_pixels(image.width, image.height, max_pixels)
            stored = image.size
            if not raw.large_enough(stored, size, long_edge):
                return None
            turn = _UPRIGHT.get(raw.turn_for_preview(negative, stored))
            pixels = _scaled(image, preview, fit(*stored, long_edge))
    except _NO_PREVIEW:
        return None
    return pixels if turn is None else pixels.transpose(turn)
