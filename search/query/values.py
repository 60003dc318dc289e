"""The values of fields: what ``size:>5mb`` or ``near:48.86,2.35,5`` means. Nothing raises for any text."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from vision.imaging.palette import PALETTE, code, position

Operator = Literal["<", "<=", "=", ">=", ">"]

_DATE: Final = re.compile(r"(\d{4})(?:[-./](\d{1,2})(?:[-./](\d{1,2}))?)?", re.ASCII)
_COMPARISON: Final = re.compile(r"(<=|>=|<|>|=)?(\d{1,12}(?:\.\d{1,6})?)([a-z]*)(\+)?", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,3}(?:\.\d{1,12})?", re.ASCII)

_COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
BYTES: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
MEGAPIXELS: Final = "mp"
DEFAULT_RADIUS_KM: Final = 1.0
MAX_RADIUS_KM: Final = 20_038.0
"""Half way round the Earth."""

COLOURS: Final = tuple(colour.name for colour in PALETTE)

_SAME: Final = {
    "is": {"favorite": "favourite", "fav": "favourite", "duplicated": "duplicate"},
    "has": {"face": "faces", "person": "people", "location": "gps", "place": "gps", "movie": "video"},
}
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "is": ("favourite", "duplicate", "screenshot", "failed"),
    "has": ("text", "faces", "gps", "video", "people"),
    "orientation": ("portrait", "landscape", "square"),
    "show": ("duplicates",),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number, its unit in lower case, and how to compare with it."""

    operator: Operator
    number: float
    unit: str = ""

    def holds(self, number: float) -> bool:
        """Whether a number is what is asked for."""
        return _COMPARE[self.operator](number, self.number)


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything within so many kilometres of a place, in degrees (WGS 84)."""

    latitude: float
    longitude: float
    km: float


def period(value: str) -> tuple[datetime, datetime] | None:
    """A year, a month or a day as its first moment and the first one after it; None for anything else.

    The moments are on the clock of the wall, which ``Photo.taken_local`` holds as if it were UTC.
    """
    match = _DATE.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        if day:
            return start, datetime.fromordinal(start.toordinal() + 1).replace(tzinfo=UTC)
        if month:
            return start, datetime(start.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return start, datetime(start.year + 1, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def span(value: str) -> tuple[datetime, datetime] | None:
    """A period, or two with ``..`` between them: from the start of the first to the end of the second."""
    first, dots, last = value.partition("..")
    start, end = period(first), period(last if dots else first)
    return (start[0], end[1]) if start and end and start[0] < end[1] else None


def comparison(value: str) -> Comparison | None:
    """``4``, ``>=4``, ``4+`` or ``<500kb``; None for anything else."""
    match = _COMPARISON.fullmatch(value.strip().lower())
    if match is None or (match[1] and match[4]):
        return None
    operators: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
    asked: Operator = ">=" if match[4] else operators.get(match[1] or "", "=")
    return Comparison(asked, float(match[2]), match[3])


def size(value: str) -> Comparison | None:
    """``>5mb`` in bytes, or ``>12mp`` in megapixels; a bare size means at least."""
    found = comparison(value)
    if found is None or (found.unit not in BYTES and found.unit != MEGAPIXELS):
        return None
    asked: Operator = ">=" if found.operator == "=" else found.operator
    if found.unit == MEGAPIXELS:
        return Comparison(asked, found.number, MEGAPIXELS)
    return Comparison(asked, found.number * BYTES[found.unit])


def count(value: str, *, most: int) -> Comparison | None:
    """A comparison with a whole number up to ``most``."""
    found = comparison(value)
    whole = found is not None and not found.unit and found.number.is_integer() and found.number <= most
    return found if whole else None


def circle(value: str) -> Circle | None:
    """``48.86,2.35,5``: degrees north and east, kilometres (1 when left out)."""
    parts = [part.strip() for part in value.split(",")]
    if len(parts) not in (2, 3) or not all(_NUMBER.fullmatch(part) for part in parts[:2]):
        return None
    latitude, longitude = float(parts[0]), float(parts[1])
    radius = parts[2].removesuffix("km").strip() if len(parts) == 3 else str(DEFAULT_RADIUS_KM)
    if not re.fullmatch(r"\d{1,5}(?:\.\d{1,6})?", radius, re.ASCII):
        return None
    km = float(radius)
    possible = abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < km <= MAX_RADIUS_KM
    return Circle(latitude, longitude, km) if possible and math.isfinite(km) else None


def colour(value: str) -> str | None:
    """``rrggbb`` of a colour by its name, or by ``#f80`` or ``#ff8800``."""
    named = position(value)
    return code(value) if named is None else PALETTE[named].examples[0]


def choice(name: str, value: str) -> str | None:
    """One of ``CHOICES[name]``, whatever its spelling; None for anything else."""
    typed = value.strip().lower()
    typed = _SAME.get(name, {}).get(typed, typed)
    return typed if typed in CHOICES[name] else None
