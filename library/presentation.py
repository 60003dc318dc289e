"""How a photo is put into words and shapes for a page: pure, no queries beyond what was prefetched."""

from __future__ import annotations

from datetime import timedelta, timezone
from fractions import Fraction
from itertools import islice
from typing import Any

from library.models import Photo, PhotoDescription
from vision.describers.wording import first_sentence

RATIO_STEP = 0.05
#: Tiles are never narrower or wider than this, so that a panorama does not push its row flat.
RATIO_LIMITS = (0.5, 4.0)
ALT_TAGS = 4


def ratio_class(photo: Photo) -> str:
    """The CSS class of the photo's ratio, rounded to the steps that ``library/ratios.css`` has."""
    return f"r{round(ratio(photo) / RATIO_STEP)}"


def ratio(photo: Photo) -> float:
    """Width : height of the photo's tile; a square when its size is not known."""
    if not photo.width or not photo.height:
        return 1.0
    low, high = RATIO_LIMITS
    return min(max(photo.width / photo.height, low), high)


def ratio_rules() -> str:
    """The content of ``static/library/ratios.css``: every class that ``ratio_class`` can give."""
    low, high = (round(limit / RATIO_STEP) for limit in RATIO_LIMITS)
    rules = [f".r{step} {{ --r: {step * RATIO_STEP:.2f}; }}" for step in range(low, high + 1)]
    return "/* Width : height of tiles. Written by library.presentation.ratio_rules(). */\n" + "\n".join(
        [*rules, ""]
    )


def alt_text(photo: Photo) -> str:
    """What a person who cannot see the picture is told: what is in it, when, and which file it is.

    A photo without a title is introduced by the first sentence a model wrote about it, then without its tags.
    """
    guess = "" if photo.title.strip() else first_sentence(generated_description(photo))
    parts = [photo.title.strip() or guess or "Photo"]
    if photo.taken_local is not None:
        parts.append(f"{photo.taken_local:%-d %B %Y}")
    if not guess:
        parts += [found.tag.name for found in islice(photo.detected_objects.all(), ALT_TAGS)]
    name = file_name(photo)
    return ", ".join(parts) + (f" ({name})" if name else "")


def generated_description(photo: Photo) -> str:
    """What a model wrote about the photo; empty when none did."""
    written: PhotoDescription | None = getattr(photo, "model_description", None)
    return written.text if written else ""


def file_name(photo: Photo) -> str:
    """The name of the photo's first file that may be seen; empty when there is none."""
    files = getattr(photo, "visible_files", None)
    return files[0].name if files else ""


def utc_offset(minutes: int | None) -> str:
    """``+02:00`` for 120; empty when the offset is unknown."""
    if minutes is None:
        return ""
    return str(timezone(timedelta(minutes=minutes)))[3:] or "+00:00"


def coordinates(photo: Photo) -> str:
    """``48.85837° N, 2.29448° E``; empty when the photo has none."""
    if photo.latitude is None or photo.longitude is None:
        return ""
    north = "N" if photo.latitude >= 0 else "S"
    east = "E" if photo.longitude >= 0 else "W"
    return f"{abs(photo.latitude):.5f}° {north}, {abs(photo.longitude):.5f}° {east}"


def colour_names(photo: Photo) -> list[str]:
    """The dominant colours as ``#rrggbb``, the largest share first."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in _rgb_triples(photo)]


def _rgb_triples(photo: Photo) -> list[tuple[int, int, int]]:
    triples = []
    for colour in photo.colours:
        red, green, blue = (min(max(int(value), 0), 255) for value in colour["rgb"])
        triples.append((red, green, blue))
    return triples


def exposure(exif: dict[str, Any]) -> str:
    """``1/250 s · f/2.8 · ISO 200 · 50 mm`` from the EXIF values that are there and make sense."""
    seconds, f_number = _number(exif, "ExposureTime"), _number(exif, "FNumber")
    sensitivity = _number(exif, "PhotographicSensitivity") or _number(exif, "ISOSpeedRatings")
    focal = _number(exif, "FocalLength")
    parts = [
        _shutter(seconds) if seconds else "",
        f"f/{f_number:.2g}" if f_number else "",
        f"ISO {sensitivity:.0f}" if sensitivity else "",
        f"{focal:.4g} mm" if focal else "",
    ]
    return " · ".join(part for part in parts if part)


def _shutter(seconds: float) -> str:
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:.3g} s"


def _number(exif: dict[str, Any], name: str) -> float | None:
    """A positive number out of what cameras write: 200, "1/250", [200, 0]; None for anything else."""
    value = exif.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    try:
        number = float(Fraction(str(value)))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if number > 0 else None
