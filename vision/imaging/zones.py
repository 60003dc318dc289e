"""Which clock hung where a photo was taken: time zones by position."""

from __future__ import annotations

import atexit
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_lock: Final = Lock()


def zone_at(latitude: float, longitude: float) -> ZoneInfo | None:
    """The time zone of a place on land or in coastal waters; None at sea, where no clock is customary.

    None, too, where the package timezonefinder is not installed (an installation from before it was needed).
    Raises nothing for positions on Earth. The first call reads 8 MB; later ones take microseconds.
    """
    with _lock:
        finder = _finder()
        name = finder.timezone_at(lat=latitude, lng=longitude) if finder else None
    if not name or name.startswith("Etc/"):
        return None
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        # The zone is younger than this machine's own table.
        return None


def offset_in(zone: ZoneInfo, local: datetime) -> int | None:
    """Minutes ahead of UTC of a clock on the wall (naive); None when the table does not go that far."""
    try:
        offset = local.replace(tzinfo=zone).utcoffset()
    except (OverflowError, ValueError):
        return None
    return None if offset is None else round(offset.total_seconds() / 60)


def is_available() -> bool:
    """Whether positions can be turned into time zones here."""
    return find_spec("timezonefinder") is not None


@cache
def _finder() -> Any:
    if not is_available():
        return None
    from timezonefinder import TimezoneFinder

    finder = TimezoneFinder()
    # It keeps files open for as long as it lives.
    atexit.register(finder.cleanup)
    return finder
