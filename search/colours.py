"""Photos of a colour: by a name of the palette, or near to any colour at all."""

from __future__ import annotations

import math
from typing import Final

from django.db.models import Exists, F, OuterRef, Q

from library.models import PhotoColour
from vision.imaging.palette import PALETTE, Lab, code, examples, lab_of, position

MIN_SHARE: Final = 80
"""Thousandths of a picture that a colour must fill to be one of its colours."""

MAX_DISTANCE: Final = 18.0
"""ΔE (CIE 1976) up to which a colour is like the one that is asked for: the same hue, a little lighter or
duller. 2.3 is just noticeable; beyond about 25 people give another name."""


def colour_condition(value: str) -> Q:
    """Photos of which one dominant colour has this name, or is within ``MAX_DISTANCE`` of ``#rrggbb``.

    Raises ValueError for what is neither.
    """
    rows = PhotoColour.objects.filter(photo=OuterRef("pk"), share__gte=MIN_SHARE)
    number = position(value)
    if number is not None:
        return Q(Exists(rows.filter(palette=number)))
    found = code(value)
    if found is None:
        names = ", ".join(colour.name for colour in PALETTE)
        raise ValueError(f"{value!r} is no colour; there are {names} and #rrggbb.")
    lab = lab_of(found)
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
    distances = [(math.dist(lab, example), number) for number, example in examples()]
    limit = min(distances)[0] + 2 * MAX_DISTANCE
    return sorted({number for distance, number in distances if distance <= limit})
