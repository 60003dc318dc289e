"""Foreign text and values made fit for a database and for JSON."""

from __future__ import annotations

import math
import re
from typing import Final

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff\ufffe\uffff]")
_MAX_ITEMS: Final = 16
_MAX_TEXT: Final = 20_000


def clean_text(value: object, limit: int = _MAX_TEXT) -> str:
    """A string PostgreSQL takes: no NUL, no controls but tab and newline, no lone surrogates, trimmed.

    Bytes are read as UTF-8, or as Latin-1 when they are not; numbers are printed; everything else is empty.
    """
    text = _as_text(value)
    # What follows a NUL in a C string is whatever lay in memory before.
    text = text.lstrip("\x00").partition("\x00")[0]
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()[:limit].rstrip()


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""


def finite(value: object) -> float | None:
    """A finite float of anything that is a number (also of a rational, or of text such as ``28/10``)."""
    try:
        if isinstance(value, str) and "/" in value:
            numerator, _, denominator = value.partition("/")
            number = float(numerator) / float(denominator)
        else:
            number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def json_value(value: object) -> object:
    """Text, number or a short list of these; None for what is not worth keeping (bytes, NaN, empty)."""
    if isinstance(value, bool) or value is None or isinstance(value, bytes):
        return None
    if isinstance(value, str):
        return clean_text(value, 500) or None
    if isinstance(value, int):
        return int(value) if abs(value) < 1 << 63 else None
    if isinstance(value, tuple | list):
        items = [json_value(item) for item in value[:_MAX_ITEMS]]
        return None if not items or None in items else items
    number = finite(value)
    return None if number is None else round(number, 6)
