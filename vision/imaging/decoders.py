"""What foreign decoders may throw, their warnings, and what we say about it."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

import pillow_heif
import rawpy
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from vision.errors import ImageRejected

pillow_heif.register_heif_opener()

#: The plugins we open, and no others (Pillow alone would also try PDF, EPS, fonts ...).
_PLUGINS: Final = (
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    GifImagePlugin,
    BmpImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    AvifImagePlugin,
)
PILLOW_FORMATS: Final = ("JPEG", "PNG", "HEIF", "WEBP", "GIF", "TIFF", "BMP", "DIB", "AVIF")

#: Nothing larger is opened, whatever MAX_PIXELS says. Pillow's own guard stands at twice its constant.
HARD_PIXEL_LIMIT: Final = 1_000_000_000
Image.MAX_IMAGE_PIXELS = HARD_PIXEL_LIMIT // 2

#: Everything Pillow, its plugins, libheif, LibRaw and lcms raise on bad files, found by feeding them such.
DECODER_ERRORS: Final[tuple[type[Exception], ...]] = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    MemoryError,
    BufferError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    rawpy.LibRawError,
    rawpy.NotSupportedError,
)

_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)

_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_state: warnings.catch_warnings[None] | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """No Python warnings from decoders, in any number of threads.

    ``warnings.catch_warnings`` alone restores the filters in the order threads end, which may be the
    wrong one; so the first to enter saves them and the last to leave restores them.
    """
    global _quiet_depth, _quiet_state
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_state = warnings.catch_warnings()
            _quiet_state.__enter__()
            warnings.simplefilter("ignore")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0 and _quiet_state is not None:
                _quiet_state.__exit__(None, None, None)
                _quiet_state = None


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what a decoder raises into ImageRejected with the decoder's own reason."""
    with quiet():
        try:
            yield
        except DECODER_ERRORS as error:
            raise ImageRejected(describe(error)) from error


def describe(error: Exception) -> str:
    """A decoder's error as one line that is never empty."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return f"{str(error).partition(',')[0]} (setting MAX_PIXELS)"
    argument = error.args[0] if len(error.args) == 1 else None
    text = argument.decode("utf-8", "replace") if isinstance(argument, bytes) else str(error)
    text = " ".join(text.split())
    # Pillow and libheif raise RuntimeError and OSError with sentences; a bare KeyError needs its name.
    if isinstance(error, rawpy.LibRawError | rawpy.NotSupportedError):
        return f"LibRaw: {text}"
    known = isinstance(error, OSError | SyntaxError | RuntimeError)
    return text if text and known else f"{type(error).__name__}: {text}".rstrip(": ")


def open_image(data: bytes) -> Image.Image:
    """Open with Pillow by content, header only. To be used inside ``decoding()``."""
    if not data:
        raise ImageRejected("the file is empty")
    try:
        return Image.open(BytesIO(data), formats=PILLOW_FORMATS)
    except UnidentifiedImageError as error:
        raise ImageRejected(_why_unidentified(data)) from error


def _why_unidentified(data: bytes) -> str:
    """Pillow hides why a plugin refused a header: ask the plugin that should have taken it."""
    name = sniff(data)
    if name is None:
        return f"not a picture in any known format (it starts with {data[:8].hex(' ')})"
    if name not in Image.OPEN:
        return f"damaged {name} file: its header cannot be read"
    factory, _ = Image.OPEN[name]
    try:
        factory(BytesIO(data), "")
    except DECODER_ERRORS as error:
        return f"damaged {name} file: {describe(error)}"
    return f"damaged {name} file"


def sniff(data: bytes) -> str | None:
    """The format a file claims to be by its first bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in (b"avif", b"avis"):
            return "AVIF"
        return "HEIF" if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1") else None
    return next((name for signature, name in _SIGNATURES if data.startswith(signature)), None)
