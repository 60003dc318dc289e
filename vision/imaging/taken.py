"""Which of all the dates of a photo is the one at which it was taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Final, Literal

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

TakenSource = Literal["exif", "xmp", "iptc", "gps", "filename", "file"]

_XMP_FIELDS: Final = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")
_IPTC_FIELDS: Final = (((2, 55), (2, 60)), ((2, 62), (2, 63)))


@dataclass(frozen=True, slots=True)
class Taken:
    """``at`` in UTC, ``local`` the clock on the wall (naive), ``offset`` in minutes when known."""

    at: datetime
    local: datetime
    offset: int | None
    source: TakenSource


@dataclass(frozen=True, slots=True)
class DateSources:
    """Everything a date may be read from."""

    embedded: Embedded
    xmp: Properties
    sidecar: Properties
    file_name: str
    file_mtime: float | None


_Candidate = tuple[TakenSource, str, Callable[[], Moment | None]]


def choose_taken(
    sources: DateSources, *, fallback: tzinfo, now: datetime, warnings: list[str]
) -> Taken | None:
    """The first plausible date in the order of trust; unreadable and impossible ones go to ``warnings``.

    A sidecar is the user's correction and goes first; then the camera, programs, the file name, the file.
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
        return _settle(source, moment, satellite, fallback, warnings)
    return None


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
    source: TakenSource, moment: Moment, satellite: Moment | None, fallback: tzinfo, warnings: list[str]
) -> Taken | None:
    offset = moment.offset
    if source in ("gps", "file") or (source == "filename" and offset == 0):
        # These tell an instant in UTC; what the wall clock showed is only known by the place of the library.
        at = moment.at(UTC)
        return Taken(at, at.astimezone(fallback).replace(tzinfo=None), None, source)
    if offset is None and satellite is not None:
        offset = offset_by_satellite(moment.local, satellite.local)
    try:
        at = Moment(moment.local, offset).at(fallback)
    except OverflowError as error:
        warnings.append(f"date {moment.local}: {error}")
        return None
    return Taken(at, moment.local, offset, source)


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
