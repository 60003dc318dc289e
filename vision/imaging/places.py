"""Where a photo was taken: coordinates out of EXIF and XMP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vision.imaging.text import clean_text, finite
from vision.imaging.xmp import Properties

#: ``40,14.0786450N`` or ``40,14,4.7N`` (XMP specification, part 2, GPSCoordinate).
_XMP_COORDINATE: Final = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])", re.ASCII)
#: From below the deepest sea to the edge of space, in metres.
_ALTITUDES: Final = (-12_000.0, 100_000.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees (WGS 84) and metres above sea level."""

    latitude: float
    longitude: float
    altitude: float | None = None


def place_of(
    exif: Mapping[str, object],
    xmp: Properties,
    sidecar: Properties,
    warnings: list[str],
    *,
    correction: Place | None = None,
    other: Place | None = None,
) -> Place | None:
    """The sidecar's place, else EXIF's, else the embedded XMP's; impossible ones go to ``warnings``.

    ``correction`` comes right after the sidecar, ``other`` is taken when nothing else tells a place.
    """
    for label, pair, altitude in (
        ("sidecar GPS", _from_xmp(sidecar), _xmp_altitude(sidecar)),
        ("GPS", _from_exif(exif), _exif_altitude(exif)),
        ("XMP GPS", _from_xmp(xmp), _xmp_altitude(xmp)),
    ):
        if label == "GPS" and correction is not None:
            return correction
        if pair is None:
            continue
        latitude, longitude = pair
        if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
            warnings.append(f"{label}: the position is not a place on Earth")
        elif latitude == 0 and longitude == 0:
            # Where cameras without a fix think they are.
            warnings.append(f"{label}: the position is 0, 0")
        else:
            return Place(round(latitude, 7), round(longitude, 7), altitude)
    return other


_Pair = tuple[float | None, float | None]


def _from_exif(exif: Mapping[str, object]) -> _Pair | None:
    if "GPSLatitude" not in exif or "GPSLongitude" not in exif:
        return None
    return _degrees(exif, "GPSLatitude", "S"), _degrees(exif, "GPSLongitude", "W")


def _degrees(exif: Mapping[str, object], name: str, negative: str) -> float | None:
    """Degrees, minutes and seconds (missing ones count 0), signed by the reference letter."""
    value = exif[name]
    parts = [finite(part) for part in (value if isinstance(value, tuple | list) else (value,))][:3]
    numbers = [part for part in parts if part is not None]
    if not numbers or len(numbers) != len(parts):
        return None
    total = sum((number / 60.0**power for power, number in enumerate(numbers)), 0.0)
    return -total if clean_text(exif.get(f"{name}Ref")).upper().startswith(negative) else total


def _exif_altitude(exif: Mapping[str, object]) -> float | None:
    altitude, reference = finite(exif.get("GPSAltitude")), exif.get("GPSAltitudeRef")
    below = reference == 1 or (isinstance(reference, bytes) and reference[:1] == b"\x01")
    return _altitude(altitude, below)


def _from_xmp(properties: Properties) -> _Pair | None:
    latitude, longitude = properties.get("exif:GPSLatitude"), properties.get("exif:GPSLongitude")
    if not latitude or not longitude:
        return None
    return _xmp_degrees(latitude[0], "S"), _xmp_degrees(longitude[0], "W")


def _xmp_degrees(text: str, negative: str) -> float | None:
    match = _XMP_COORDINATE.fullmatch(text.strip())
    if match is None:
        return finite(text)
    total = float(match[1]) + float(match[2]) / 60 + float(match[3] or 0) / 3600
    return -total if match[4] == negative else total


def _xmp_altitude(properties: Properties) -> float | None:
    values = properties.get("exif:GPSAltitude")
    return _altitude(
        finite(values[0]) if values else None, properties.get("exif:GPSAltitudeRef", ("0",))[0] == "1"
    )


def _altitude(metres: float | None, below: bool) -> float | None:  # noqa: FBT001 - private, one word says it
    if metres is None:
        return None
    signed = round(-abs(metres) if below else metres, 2)
    return signed if _ALTITUDES[0] <= signed <= _ALTITUDES[1] else None
