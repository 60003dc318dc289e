"""Names that strangers chose become names of files: safe on every common file system. Pure."""

from __future__ import annotations

import re
import unicodedata

#: Bytes of UTF-8. File systems allow 255; a number behind the name has to fit in too.
MOST_BYTES = 200
#: What Windows keeps for its devices, with any extension.
RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*]')


def safe_name(name: str) -> str:
    """The last part of the path as a plain, visible file name of at most ``MOST_BYTES`` bytes.

    Separators of any system, control characters, characters without shape (that turn the direction of
    writing, for example) and lone surrogates are taken out; the extension is kept.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # Cc control, Cf format, Cs surrogates, Co private, Cn unassigned, Zl and Zp line ends.
    hidden = ("C", "Zl", "Zp")
    kept = "".join(char for char in last if not unicodedata.category(char).startswith(hidden))
    kept = _FORBIDDEN.sub("_", kept).strip().lstrip(".").rstrip(". ")
    stem, dot, extension = kept.rpartition(".")
    if not dot:
        stem, extension = kept, ""
    elif not stem.strip():
        stem = "photo"
    if RESERVED.match(kept):
        stem = "_" + stem
    return _cut(stem or "photo", MOST_BYTES - len((dot + extension).encode())) + dot + extension[:20]


def numbered(name: str, number: int) -> str:
    """The name with a number before its extension; 1 is the name itself."""
    if number == 1:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem}-{number}.{extension}" if dot else f"{name}-{number}"


def _cut(text: str, most: int) -> str:
    """The beginning of the text in at most ``most`` bytes, with no character cut in two."""
    return text.encode()[: max(most, 1)].decode("utf-8", "ignore") or "photo"
