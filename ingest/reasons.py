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

_QUOTED = re.compile(r"b?'([^'\n]{1,500})'|b?\"([^\"\n]{1,500})\"|“([^”\n]{1,500})”")
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,11}://[^\s<>'\"]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[A-Za-z]:\\[^\s<>'\":;,]+|\\\\[^\s<>'\":;,]+"), "<path>"),
    (re.compile(r"(?<![\w<>.])~?/[^\s<>'\":;,()\[\]]*[^\s<>'\":;,()\[\].]"), "<path>"),
    (re.compile(rf"\b[\w.-]+(?:/[\w.-]+)*\.(?:{_FILE_TYPES})\b", re.IGNORECASE), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<![A-Za-z_\d])[+-]?\d+(?:[.,:_x×TZ+-]*\d+)*(?:e[+-]?\d+)?", re.IGNORECASE), "<number>"),
    (re.compile(r"<number>(?:,? <number>)+"), "<number>"),
)


def normalise(error: str) -> str:
    """The class a message of an error belongs to: one line of at most ``LONGEST`` characters."""
    text = " ".join(error[:_LOOKED_AT].split())
    text = _QUOTED.sub(_quoted, text)
    for pattern, placeholder in _RULES:
        text = pattern.sub(placeholder, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _quoted(match: re.Match[str]) -> str:
    """What stands in quotes is a word of the fault, or a path or number of the photo."""
    inside = next(group for group in match.groups() if group is not None)
    if not _VARIABLE.search(inside):
        return match[0]
    is_path = "/" in inside or "\\" in inside or re.search(r"\.\w{1,11}$", inside)
    return "<path>" if is_path else "<value>"
