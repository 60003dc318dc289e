"""Photos of a colour: by a name of the palette, or near to any colour at all."""

from __future__ import annotations

import math
import re
from typing import Final

from django.db.models import Exists, F, OuterRef, Q

from library.colours import PALETTE, Lab, examples, lab_of
from library.models import PhotoColour
from search.text import fold

MIN_SHARE: Final = 80
"""Thousandths of a picture that a colour must fill to be one of its colours."""

MAX_DISTANCE: Final = 18.0
"""ΔE (CIE 1976) up to which a colour is like the one that is asked for: the same hue, a little lighter or
duller. 2.3 is just noticeable; beyond about 25 people give another name."""

_HEX: Final = re.compile(r"#?(?:([0-9a-f]{3})|([0-9a-f]{6}))")
_NAMES: Final = {
    name: number for number, colour in enumerate(PALETTE) for name in (colour.name, *colour.aliases)
}


def colour_names() -> list[str]:
    """What can be asked for by name, in the order of the palette, without aliases."""
    return [colour.name for colour in PALETTE]


def is_colour(value: str) -> bool:
    """Whether it is a name we know, or ``#rgb`` or ``#rrggbb`` with or without the ``#``."""
    return fold(value) in _NAMES or _hex(value) is not None


def colour_condition(value: str) -> Q:
    """Photos of which one dominant colour has this name, or is within ``MAX_DISTANCE`` of this one.

    Raises ValueError for what is no colour (see ``is_colour``).
    """
    rows = PhotoColour.objects.filter(photo=OuterRef("pk"), share__gte=MIN_SHARE)
    number = _NAMES.get(fold(value))
    if number is not None:
        return Q(Exists(rows.filter(palette=number)))
    code = _hex(value)
    if code is None:
        raise ValueError(f"{value!r} is no colour; there are {', '.join(colour_names())} and #rrggbb.")
    lab = lab_of(code)
    # Tenths, as the rows have them.
    lightness, a, b = (10 * part for part in lab)
    squared = (
        (F("lightness") - lightness) * (F("lightness") - lightness)
        + (F("a") - a) * (F("a") - a)
        + (F("b") - b) * (F("b") - b)
    )
    near = rows.alias(distance=squared).filter(
        palette__in=_reachable(lab), distance__lte=(10 * MAX_DISTANCE) ** 2
    )
    return Q(Exists(near))


def _reachable(lab: Lab) -> list[int]:
    """The names under which a colour within ``MAX_DISTANCE`` can be stored: it has an index.

    A colour within reach is at most ``nearest + MAX_DISTANCE`` from its own example, so that example is at
    most ``nearest + 2 * MAX_DISTANCE`` from ours.
    """
    distances = [(math.dist(lab, example), number) for number, *example in examples()]
    limit = min(distances)[0] + 2 * MAX_DISTANCE
    return sorted({number for distance, number in distances if distance <= limit})


def _hex(value: str) -> str | None:
    """``rrggbb`` in lower case, or None."""
    match = _HEX.fullmatch(fold(value))
    if match is None:
        return None
    return match[2] or "".join(2 * digit for digit in match[1])
