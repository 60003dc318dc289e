"""Which file name extensions are pictures, and which decoder family reads them. Data, no decoding."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

Family = Literal["pillow", "raw"]


def _words(text: str) -> list[str]:
    return text.split()


_PILLOW: Final = _words("jpg jpeg jpe jfif png apng gif bmp dib tif tiff webp heic heif hif avif")
_RAW: Final = _words(
    "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
)

_OTHER: Final = {
    "video": "mov mp4 m4v avi mkv mts m2ts 3gp webm mpg mpeg wmv insv lrv",
    "audio": "mp3 m4a wav aac flac ogg opus amr",
    "sidecar": "xmp aae thm pp3 dop xml json on1 cos cot",
    "document": "pdf doc docx odt txt md markdown rtf html htm csv xls xlsx",
    "drawing": "svg ai eps cdr emf wmf",
    "archive": "zip gz tar 7z rar tgz",
    "system": "db ini ds_store nomedia lnk tmp part crdownload modd moff ctg",
    "unsupported picture": (
        "jxl jp2 j2k jpf jxr hdp psd psb xcf kra ico icns tga exr hdr pcx ppm pgm pbm insp gpr"
    ),
}

#: Extension (lower case, no dot) to the decoder family that reads it.
FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {**dict.fromkeys(_PILLOW, "pillow"), **dict.fromkeys(_RAW, "raw")}
)

#: What lies beside photos without being one; a scan counts these by kind instead of calling them unknown.
OTHER_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {extension: kind for kind, extensions in _OTHER.items() for extension in _words(extensions)}
)


def extension_of(name: str | bytes) -> str:
    """``IMG_1.JPG`` to ``jpg``; empty when there is none. Bytes that are not UTF-8 are fine."""
    suffix = os.path.splitext(os.fsdecode(name))[1]  # noqa: PTH122 - names may be bytes, and not UTF-8
    return suffix.removeprefix(".").lower()


def family_of(name: str | bytes) -> Family | None:
    """The decoder family by the name's extension; None for what is no picture we read."""
    return FAMILIES.get(extension_of(name))


def kind_of(name: str | bytes) -> str:
    """``photo``, one of the values of OTHER_KINDS, or ``unknown``."""
    extension = extension_of(name) or os.fsdecode(name).removeprefix(".").lower()
    return "photo" if extension in FAMILIES else OTHER_KINDS.get(extension, "unknown")
