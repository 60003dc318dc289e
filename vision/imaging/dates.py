"""When a photo was taken: reading what cameras, programs, satellites and file names wrote down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

#: The oldest photograph that is still there (Niépce, about 1826).
FIRST_YEAR: Final = 1826
#: A day without a time is shown at noon: midnight would fall on another day in half of the time zones.
_NOON: Final = 12

_DATE: Final = re.compile(
    r"\s*(?P<year>\d{4})(?:[-:/.](?P<month>\d{1,2})(?:[-:/.](?P<day>\d{1,2}))?)?"
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}:?\d{2})?\s*",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"\s*([+-])(\d{1,2}):?(\d{2})\s*", re.ASCII)
_IPTC_TIME: Final = re.compile(r"(\d{2})(\d{2})(\d{2})([+-]\d{4})?", re.ASCII)
_NAME_DAY: Final = r"(?<!\d)(?P<year>(?:18|19|20)\d{2})(?P<sep>[-_.]?)(?P<month>\d{2})(?P=sep)(?P<day>\d{2})"
_NAME_MOMENT: Final = re.compile(
    _NAME_DAY + r"(?:[-_ .T]{1,3}|\s+at\s+)?(?P<hour>\d{2})(?P<sep2>[-_.:h]?)(?P<minute>\d{2})[-_.:m]?"
    r"(?P<second>\d{2})(?:[-_.]?\d{3})?(?!\d)",
    re.ASCII,
)
_NAME_DATE: Final = re.compile(_NAME_DAY + r"(?!\d)", re.ASCII)

#: Minutes east of Greenwich that are used somewhere and are no full hours.
_ODD_OFFSETS: Final = frozenset({-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825})


@dataclass(frozen=True, slots=True)
class Moment:
    """A wall clock (naive) and, when it is known, how many minutes it is ahead of UTC."""

    local: datetime
    offset: int | None = None

    def at(self, fallback: tzinfo) -> datetime:
        """In UTC; ``fallback`` says where the clock hung when the offset is unknown."""
        zone = fallback if self.offset is None else timezone(timedelta(minutes=self.offset))
        return self.local.replace(tzinfo=zone).astimezone(UTC)


def parse_date(text: str, *, subsecond: str = "", offset: str = "", partial: bool = False) -> Moment:
    """Read EXIF (``2019:07:04 12:34:56``) and ISO 8601 dates; a date without time is taken as noon.

    ``partial`` allows a year or a month alone, as XMP does. Raises ValueError naming the text.
    """
    match = _DATE.fullmatch(text)
    if match is None or (match["day"] is None and not partial):
        raise ValueError(f"{text[:40]!r} is not a date")
    fraction = match["fraction"] or (subsecond.strip() if subsecond.strip().isdecimal() else "")
    try:
        local = _build(match, fraction)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is not a date: {error}") from error
    zone = match["offset"] or offset
    return Moment(local, parse_offset(zone) if zone.strip() else None)


def parse_offset(text: str) -> int:
    """``+02:00`` or ``Z`` to minutes. Raises ValueError."""
    if text.strip() == "Z":
        return 0
    match = _OFFSET.fullmatch(text)
    minutes = int(match[2]) * 60 + int(match[3]) if match else 24 * 60
    if match is None or minutes > 14 * 60 or int(match[3]) > 59:
        raise ValueError(f"{text[:20]!r} is not an offset from UTC")
    return -minutes if match[1] == "-" else minutes


def parse_iptc(day: str, time: str) -> Moment:
    """``20090829`` and ``131808`` or ``151544-0400`` (IIM 2:55, 2:60). Raises ValueError."""
    clock = _IPTC_TIME.fullmatch(time.strip())
    date = f"{day[:4]}-{day[4:6]}-{day[6:8]}"
    if clock is None:
        return parse_date(date)
    return parse_date(f"{date} {clock[1]}:{clock[2]}:{clock[3]}", offset=clock[4] or "")


def parse_file_name(name: str) -> Moment | None:
    """``IMG_20190704_123456``, ``2019-07-04 12.34.56``, ``IMG-20190704-WA0001`` ...; None without a date.

    Names that begin with ``PXL_`` (Google's camera) tell UTC.
    """
    for pattern in (_NAME_MOMENT, _NAME_DATE):
        for match in pattern.finditer(name):
            try:
                local = _build(match, "")
            except ValueError:
                continue
            if pattern is _NAME_DATE:
                return Moment(local)
            return Moment(local, 0 if name.upper().startswith("PXL_") else None)
    return None


def offset_by_satellite(local: datetime, utc: datetime) -> int | None:
    """How far the wall clock was ahead of the GPS clock, when that is an offset used somewhere on Earth."""
    minutes = round((local - utc.replace(tzinfo=None)) / timedelta(minutes=15)) * 15
    if not -12 * 60 <= minutes <= 14 * 60:
        return None
    return minutes if minutes % 60 == 0 or minutes in _ODD_OFFSETS else None


def is_plausible(moment: Moment, now: datetime) -> bool:
    """Neither before photography nor more than a day ahead."""
    return moment.local.year >= FIRST_YEAR and moment.local <= now.astimezone(UTC).replace(
        tzinfo=None
    ) + timedelta(days=1)


def _build(match: re.Match[str], fraction: str) -> datetime:
    """From the groups of any of the patterns. Raises ValueError for the 31st of June."""
    parts = match.groupdict()
    hour = parts.get("hour")
    return datetime(
        int(parts["year"]),
        int(parts.get("month") or 1),
        int(parts.get("day") or 1),
        _NOON if hour is None else int(hour),
        int(parts.get("minute") or 0),
        min(59, int(parts.get("second") or 0)),
        int(fraction[:6].ljust(6, "0")) if fraction else 0,
    )
