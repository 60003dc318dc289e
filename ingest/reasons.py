"""Reasons of failures as classes: the same fault of two photos reads the same. Pure: text in, text out.

What differs between photos and says nothing about the fault (paths, file names, addresses, identifiers,
numbers) becomes a placeholder. Words stay, so that two faults never fall together by accident.
"""

from __future__ import annotations

import re

#: Longer reasons are cut: this much is stored, indexed and shown.
LONGEST = 200
#: No more of a message is looked at: a message may hold a whole file.
_LOOKED_AT = 2000

_FILE_TYPES = (
    "jpe?g|jpe|jfif|png|apng|gif|bmp|dib|tiff?|webp|hei[cf]|hif|avif|dng|cr[23w]|nef|nrw|arw|sr[2fw]|orf|raf|"
    "rw2|pef|raw|3fr|x3f|xmp|json|mp4|mov|avi|mts|onnx|pt|pth|bin|safetensors|tmp|part|log|py|so|npy"
)
_VARIABLE = re.compile(rf"[\d/\\]|\.(?:{_FILE_TYPES})$", re.IGNORECASE)

#: Maybe the name of a file: found whole, then looked at from its end, so that no message takes long.
_TOKEN = re.compile(r"(?<![\w./-])[\w./-]++")
_FILE_NAME = re.compile(rf"\.(?:{_FILE_TYPES})$", re.IGNORECASE)
#: An apostrophe within a word is no quote.
_QUOTED = re.compile(
    r"(?<!\w)b?'([^'\n]{1,500})'(?!\w)|(?<!\w)b?\"([^\"\n]{1,500})\"(?!\w)|“([^”\n]{1,500})”"
)
_Rules = tuple[tuple[re.Pattern[str], str], ...]
_PLACES: _Rules = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,11}://[^\s<>'\"]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[A-Za-z]:\\[^\s<>'\":;,]+|\\\\[^\s<>'\":;,]+"), "<path>"),
    (re.compile(r"(?<![\w<>.])~?/[^\s<>'\":;,()\[\]]*[^\s<>'\":;,()\[\].]"), "<path>"),
)
_VALUES: _Rules = (
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<id>"),
    (
        re.compile(r"(?<![A-Za-z_\d])[+-]?\d++(?:[.,:_x×TZ+-]*+\d++)*+(?:e[+-]?\d+)?", re.IGNORECASE),
        "<number>",
    ),
    (re.compile(r"<number>(?:,? <number>)+"), "<number>"),
)


def normalise(error: str) -> str:
    """The class a message of an error belongs to: one line of at most ``LONGEST`` characters."""
    text = " ".join(error[:_LOOKED_AT].split())
    text = _QUOTED.sub(_quoted, text)
    for pattern, placeholder in _PLACES:
        text = pattern.sub(placeholder, text)
    text = _TOKEN.sub(_file_name, text)
    for pattern, placeholder in _VALUES:
        text = pattern.sub(placeholder, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _file_name(match: re.Match[str]) -> str:
    """A token that is the name of a file, with or without folders; a full stop behind it stays."""
    token = match[0].rstrip(".")
    return "<path>" + match[0][len(token) :] if _FILE_NAME.search(token) else match[0]


def _quoted(match: re.Match[str]) -> str:
    """What stands in quotes is a word of the fault, or a path or number of the photo."""
    inside = next(group for group in match.groups() if group is not None)
    if not _VARIABLE.search(inside):
        return match[0]
    is_path = "/" in inside or "\\" in inside or re.search(r"\.\w{1,11}$", inside)
    return "<path>" if is_path else "<value>"
