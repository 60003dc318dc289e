"""Metadata as it lies in the file: EXIF by tag name, the XMP packet, IPTC. No interpretation here."""

from __future__ import annotations

import logging
import struct
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import exifread
import rawpy
from exifread.core.exceptions import ExifError
from PIL import ExifTags, Image, IptcImagePlugin

from vision.errors import ImageRejected
from vision.imaging import raw
from vision.imaging.decoders import DECODER_ERRORS, describe, open_image, quiet
from vision.imaging.formats import FAMILIES

_EXIF_IFD: Final = 0x8769
_GPS_IFD: Final = 0x8825
_MAX_XMP_CHUNK: Final = 8 << 20
_PARSE_ERRORS: Final[tuple[type[Exception], ...]] = (*DECODER_ERRORS, ExifError, ImageRejected)

# exifread reports every odd tag of every file to the log; what matters comes back as a warning of the photo.
logging.getLogger("exifread").setLevel(logging.CRITICAL)


@dataclass(slots=True)
class Embedded:
    """What was found, and in ``warnings`` what was there but could not be read."""

    exif: dict[str, object] = field(default_factory=dict)
    xmp: bytes = b""
    iptc: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_embedded(data: bytes, extension: str) -> Embedded:
    """Read without decoding pixels. Never raises: what cannot be read is named in ``warnings``."""
    found = Embedded()
    with quiet():
        if FAMILIES.get(extension.lower()) == "raw":
            _read_raw(data, found)
        else:
            _read_pillow(data, found)
    return found


def _read_pillow(data: bytes, found: Embedded) -> None:
    try:
        with open_image(data) as image:
            if image.format == "PNG":
                _read_png_chunks(data, found)
            else:
                _load_exif(image.getexif(), found)
            xmp = image.info.get("xmp")
            found.xmp = found.xmp or (xmp if isinstance(xmp, bytes) else b"")
            _read_iptc(image, found)
    except _PARSE_ERRORS as error:
        found.warnings.append(f"EXIF cannot be read: {_reason(error)}")


def _load_exif(exif: Image.Exif, found: Embedded) -> None:
    for label, pointer in (("", None), ("Exif", _EXIF_IFD), ("GPS", _GPS_IFD)):
        try:
            entries = dict(exif) if pointer is None else exif.get_ifd(pointer)
            for tag, value in entries.items():
                names = ExifTags.GPSTAGS if label == "GPS" else ExifTags.TAGS
                found.exif.setdefault(names.get(tag, f"{label}0x{tag:04x}"), value)
        except _PARSE_ERRORS as error:
            found.warnings.append(f"EXIF {label or 'main'} block cannot be read: {_reason(error)}")


def _read_png_chunks(data: bytes, found: Embedded) -> None:
    """Pillow decodes a whole PNG to reach an eXIf chunk behind the pixels; here its place is looked up."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        if kind == b"eXIf":
            exif = Image.Exif()
            exif.load(b"Exif\x00\x00" + body)
            _load_exif(exif, found)
        elif kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\x00"):
            found.xmp = _international_text(body)
        position += 12 + length


def _international_text(body: bytes) -> bytes:
    """The text of an iTXt chunk: keyword, compression flag and method, language, translated keyword, text."""
    compressed = body[18:19] == b"\x01"
    text = body[20:].split(b"\x00", 2)[-1]
    return zlib.decompressobj().decompress(text, _MAX_XMP_CHUNK) if compressed else text


def _read_iptc(image: Image.Image, found: Embedded) -> None:
    if image.format not in ("JPEG", "MPO", "TIFF"):
        return
    try:
        entries = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    except _PARSE_ERRORS as error:
        found.warnings.append(f"IPTC cannot be read: {_reason(error)}")
        return
    for key, value in entries.items():
        found.iptc[key] = value if isinstance(value, list) else [value]


def _read_raw(data: bytes, found: Embedded) -> None:
    try:
        tags = exifread.process_file(BytesIO(data), details=False, extract_thumbnail=False)
    except _PARSE_ERRORS as error:
        found.warnings.append(f"EXIF of the RAW cannot be read: {_reason(error)}")
        tags = {}
    for key, tag in tags.items():
        _keep_raw_tag(key, tag, found)
    found.xmp = _packet_in(data)
    if "DateTimeOriginal" not in found.exif:
        _read_preview_of_raw(data, found)


def _keep_raw_tag(key: str, tag: object, found: Embedded) -> None:
    group, values, number = key.split(" ")[0], getattr(tag, "values", None), getattr(tag, "tag", None)
    if values is None or number is None or group not in ("Image", "EXIF", "GPS"):
        return
    names = ExifTags.GPSTAGS if group == "GPS" else ExifTags.TAGS
    if isinstance(values, list):
        values = values[0] if len(values) == 1 else tuple(values)
    found.exif.setdefault(names.get(number, f"0x{number:04x}"), values)


def _packet_in(data: bytes) -> bytes:
    """exifread drops long values; an XMP packet is made to be found by its marks in any file."""
    start = data.find(b"<x:xmpmeta")
    end = data.find(b"</x:xmpmeta>", start, start + _MAX_XMP_CHUNK) if start >= 0 else -1
    return data[start : end + len(b"</x:xmpmeta>")] if end >= 0 else b""


def _read_preview_of_raw(data: bytes, found: Embedded) -> None:
    """Formats exifread does not know: LibRaw gives the embedded JPEG an EXIF block with the basics."""
    try:
        with raw.open_raw(data) as negative:
            preview = raw.embedded_jpeg(negative)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        found.warnings.append(f"EXIF of the RAW cannot be read: {_reason(error)}")
        return
    if preview is not None:
        _read_pillow(preview, found)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ImageRejected) else describe(error)
