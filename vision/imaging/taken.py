"""Which of all the dates of a photo is the one at which it was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Final, Literal
from zoneinfo import ZoneInfo

from vision.imaging.dates import (
    Moment,
    is_plausible,
    offset_by_satellite,
    parse_date,
    parse_file_name,
    parse_iptc,
)
from vision.imaging.embedded import Embedded
from vision.imaging.text import clean_text, finite
from vision.imaging.xmp import Properties
from vision.imaging.zones import offset_in

TakenSource = Literal["exif", "xmp", "iptc", "gps", "filename", "file", "takeout"]
OffsetSource = Literal["recorded", "gps", "position", "takeout"]

_XMP_FIELDS: Final = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")
_IPTC_FIELDS: Final = (((2, 55), (2, 60)), ((2, 62), (2, 63)))


@dataclass(frozen=True, slots=True)
class Taken:
    """``at`` in UTC, ``local`` the clock on the wall (naive), ``offset`` in minutes when known."""

    at: datetime
    local: datetime
    offset: int | None
    source: TakenSource
    offset_source: OffsetSource | None = None


@dataclass(frozen=True, slots=True)
class DateSources:
    """Everything a date may be read from. ``zone`` is the time zone of the place, ``takeout`` an instant."""

    embedded: Embedded
    xmp: Properties
    sidecar: Properties
    file_name: str
    file_mtime: float | None
    takeout: datetime | None = None
    zone: ZoneInfo | None = None


#: What is only believed when Google Photos says nothing: a name, a time of saving, the file.
_WEAK: Final = ("file name", "DateTime", "file date")
#: Clocks on the wall are at most 14 hours from UTC; what differs by more is another moment.
_SAME_MOMENT: Final = timedelta(hours=26)

_Candidate = tuple[TakenSource, str, Callable[[], Moment | None]]


def choose_taken(
    sources: DateSources, *, fallback: tzinfo, now: datetime, warnings: list[str]
) -> Taken | None:
    """The first plausible date in the order of trust; unreadable and impossible ones go to ``warnings``.

    A sidecar is the user's correction and goes first; then the camera, programs, the file name, the file.
    Google Photos' own date replaces the last two, and the others when it tells another day: somebody set it.
    """
    satellite = _satellite_time(sources, warnings)
    for source, label, read in _candidates(sources, satellite):
        try:
            moment = read()
        except (ValueError, OverflowError, OSError) as error:
            warnings.append(f"{label}: {error}")
            continue
        if moment is None:
            continue
        if not is_plausible(moment, now):
            warnings.append(f"{label}: {moment.local} is not plausible")
            continue
        if _google_knows_better(label, moment, sources.takeout):
            break
        return _settle(source, moment, sources, satellite, fallback, warnings)
    if sources.takeout is None:
        return None
    instant = Moment(sources.takeout.astimezone(UTC).replace(tzinfo=None), 0)
    if not is_plausible(instant, now):
        warnings.append(f"Takeout: {instant.local} is not plausible")
        return None
    return _settle("takeout", instant, sources, satellite, fallback, warnings)


def _google_knows_better(label: str, moment: Moment, takeout: datetime | None) -> bool:
    if takeout is None or label.startswith("sidecar"):
        return False
    if label in _WEAK:
        return offset_by_google(moment.local, takeout) is None
    return abs(moment.local - takeout.astimezone(UTC).replace(tzinfo=None)) > _SAME_MOMENT


def offset_by_google(local: datetime, takeout: datetime) -> int | None:
    """How far the wall clock was ahead of Google's instant, if they are the same moment."""
    utc = takeout.astimezone(UTC).replace(tzinfo=None)
    minutes = offset_by_satellite(local, utc)
    # Google keeps whole seconds; a minute allows for what copies lose.
    if minutes is None or abs(local - utc - timedelta(minutes=minutes)) > timedelta(minutes=1):
        return None
    return minutes


def _candidates(sources: DateSources, satellite: Moment | None) -> Iterator[_Candidate]:
    exif, iptc = sources.embedded.exif, sources.embedded.iptc
    for name in _XMP_FIELDS:
        yield "xmp", f"sidecar {name}", partial(_xmp_date, sources.sidecar, name)
    yield "exif", "DateTimeOriginal", partial(_exif_date, exif, "DateTimeOriginal", "Original")
    for name in _XMP_FIELDS:
        yield "xmp", name, partial(_xmp_date, sources.xmp, name)
    yield "exif", "DateTimeDigitized", partial(_exif_date, exif, "DateTimeDigitized", "Digitized")
    for day, time in _IPTC_FIELDS:
        yield "iptc", "IPTC date", partial(_iptc_date, iptc, day, time)
    yield "gps", "GPS time", lambda: satellite
    yield "filename", "file name", partial(parse_file_name, sources.file_name)
    # When it was last saved: no date of a photo, but nearer to it than that of a file that was copied.
    yield "exif", "DateTime", partial(_exif_date, exif, "DateTime", "")
    yield "file", "file date", partial(_file_date, sources.file_mtime)


def _settle(
    source: TakenSource,
    moment: Moment,
    sources: DateSources,
    satellite: Moment | None,
    fallback: tzinfo,
    warnings: list[str],
) -> Taken | None:
    if source in ("gps", "file", "takeout") or (source == "filename" and moment.offset == 0):
        return _settle_instant(source, moment, sources.zone, fallback)
    offset, told_by = _offset_of(moment, sources, satellite)
    try:
        at = Moment(moment.local, offset).at(fallback)
    except OverflowError as error:
        warnings.append(f"date {moment.local}: {error}")
        return None
    return Taken(at, moment.local, offset, source, told_by)


def _settle_instant(source: TakenSource, moment: Moment, zone: ZoneInfo | None, fallback: tzinfo) -> Taken:
    """What the wall clock showed at an instant is known by the place, or else by that of the library."""
    at = moment.at(UTC)
    local = at.astimezone(zone or fallback).replace(tzinfo=None)
    offset = round((local - at.replace(tzinfo=None)).total_seconds() / 60) if zone else None
    return Taken(at, local, offset, source, None if offset is None else "position")


def _offset_of(
    moment: Moment, sources: DateSources, satellite: Moment | None
) -> tuple[int | None, OffsetSource | None]:
    """What was written with the date, the GPS clock, the place, Google's instant: the first that tells."""
    if moment.offset is not None:
        return moment.offset, "recorded"
    offset = offset_by_satellite(moment.local, satellite.local) if satellite else None
    if offset is not None:
        return offset, "gps"
    offset = offset_in(sources.zone, moment.local) if sources.zone else None
    if offset is not None:
        return offset, "position"
    # Without a time zone Google takes the camera's clock for UTC, so no difference tells nothing.
    offset = offset_by_google(moment.local, sources.takeout) if sources.takeout else None
    return (offset, "takeout") if offset else (None, None)


def _exif_date(exif: Mapping[str, object], name: str, suffix: str) -> Moment | None:
    text = clean_text(exif.get(name))
    if not text:
        return None
    subsecond = clean_text(exif.get(f"SubsecTime{suffix}") or exif.get(f"SubSecTime{suffix}"))
    offset = clean_text(exif.get(f"OffsetTime{suffix}")) or clean_text(exif.get("OffsetTime"))
    try:
        return parse_date(text, subsecond=subsecond, offset=offset)
    except ValueError:
        # A broken offset must not cost the date.
        return parse_date(text, subsecond=subsecond)


def _xmp_date(properties: Properties, name: str) -> Moment | None:
    values = properties.get(name)
    return parse_date(values[0], partial=True) if values else None


def _iptc_date(
    iptc: Mapping[tuple[int, int], list[bytes]], day: tuple[int, int], time: tuple[int, int]
) -> Moment | None:
    days, times = iptc.get(day), iptc.get(time)
    return parse_iptc(clean_text(days[0]), clean_text(times[0]) if times else "") if days else None


def _file_date(mtime: float | None) -> Moment | None:
    if mtime is None:
        return None
    return Moment(datetime.fromtimestamp(mtime, UTC).replace(tzinfo=None), 0)


def _satellite_time(sources: DateSources, warnings: list[str]) -> Moment | None:
    """Date and time of the GPS fix, UTC; from EXIF, or XMP where one field holds both."""
    exif = sources.embedded.exif
    day, clock = clean_text(exif.get("GPSDateStamp")), exif.get("GPSTimeStamp")
    try:
        if day and isinstance(clock, tuple | list) and len(clock) == 3:
            parts = [finite(part) for part in clock]
            if None in parts:
                raise ValueError(f"{clock!r} is not a time of day")
            hour, minute, second = (int(part or 0) for part in parts)
            return parse_date(f"{day} {hour:02d}:{minute:02d}:{second:02d}", offset="Z")
        values = sources.xmp.get("exif:GPSTimeStamp") or sources.sidecar.get("exif:GPSTimeStamp")
        if not values:
            return None
        moment = parse_date(values[0], offset="Z")
        return Moment(moment.at(UTC).replace(tzinfo=None), 0)
    except (ValueError, OverflowError) as error:
        warnings.append(f"GPS time: {error}")
        return None
