"""Colours by name: a small palette, and the rows by which photos of a colour are found.

A colour of a photo belongs to the nearest example of the palette in CIE Lab (Euclidean distance there is
ΔE of CIE 1976). Each name has several examples, since what people call green is no ball around one point.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from django.db import connection, transaction

from library.models import PhotoColour
from vision.imaging.colour import rgb_to_lab

Lab = tuple[float, float, float]

MIN_SHARE: Final = 40
"""Thousandths of the picture that a colour must fill to be kept."""


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """A name and its examples as ``rrggbb``; the first one is shown. ``aliases`` are other words for it."""

    name: str
    examples: tuple[str, ...]
    aliases: tuple[str, ...] = ()


#: Rows hold positions of this list: only ever add to its end, and fill the rows anew when examples change.
PALETTE: Final = (
    PaletteColour("red", ("c62828", "8e1b20", "e25151", "a8484a")),
    PaletteColour("orange", ("ef7d1a", "f2a254", "b9591c")),
    PaletteColour("yellow", ("f2d024", "f4e58c", "c7a52a")),
    PaletteColour("green", ("43a047", "86b555", "2e5a34", "68743c", "a9c79a")),
    PaletteColour("turquoise", ("26a69a", "74c9c1", "1d6a6c"), ("teal", "cyan", "aqua")),
    PaletteColour("blue", ("1e66d0", "6ba2dc", "1c3766", "a9cbe8", "4b6d93"), ("navy",)),
    PaletteColour("purple", ("7b3fb0", "a887cc", "472a60"), ("violet", "lilac")),
    PaletteColour("pink", ("ec6fa5", "f3c3d2", "d03f83"), ("magenta", "rose")),
    PaletteColour("brown", ("795034", "9a7350", "46301f")),
    PaletteColour("beige", ("d9c5a3", "bba688", "efe4d0"), ("cream", "tan", "sand")),
    PaletteColour("white", ("fafafa",)),
    PaletteColour("grey", ("8c8c8c", "b5b5b5", "d4d4d4", "5e5e5e"), ("gray", "silver")),
    PaletteColour("black", ("101010", "2b2b2b")),
)

# Lab comes from what preprocessing stored; a colour without it was written by something else.
_FILL: Final = """
INSERT INTO library_photocolour (photo_id, palette, lightness, a, b, share)
SELECT
    photo.id, near.palette, round(lab.l * 10), round(lab.a * 10), round(lab.b * 10), round(lab.share * 1000)
FROM library_photo AS photo
CROSS JOIN LATERAL jsonb_array_elements(photo.colours) AS colour
CROSS JOIN LATERAL (
    SELECT
        (colour -> 'lab' ->> 0)::float8 AS l, (colour -> 'lab' ->> 1)::float8 AS a,
        (colour -> 'lab' ->> 2)::float8 AS b, (colour ->> 'share')::float8 AS share
) AS lab
CROSS JOIN LATERAL (
    SELECT example.palette
    FROM unnest(%(palette)s::int[], %(l)s::float8[], %(a)s::float8[], %(b)s::float8[])
        AS example (palette, l, a, b)
    ORDER BY (example.l - lab.l) ^ 2 + (example.a - lab.a) ^ 2 + (example.b - lab.b) ^ 2, example.palette
    LIMIT 1
) AS near
WHERE photo.id = ANY (%(photos)s)
    AND lab.l IS NOT NULL AND lab.b IS NOT NULL AND lab.share * 1000 >= %(least)s
"""


@transaction.atomic
def store_colours(*, photo_ids: Collection[int]) -> None:
    """Write the rows of these photos anew from ``Photo.colours``; the database works the names out."""
    PhotoColour.objects.filter(photo__in=photo_ids).delete()
    parameters: dict[str, Any] = {"photos": list(photo_ids), "least": MIN_SHARE}
    parameters |= dict(zip(("palette", "l", "a", "b"), map(list, zip(*examples(), strict=True)), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_FILL, parameters)


@cache
def examples() -> tuple[tuple[int, float, float, float], ...]:
    """Every example of the palette: the position of its name, and where it lies in CIE Lab."""
    pairs = [(number, text) for number, colour in enumerate(PALETTE) for text in colour.examples]
    return tuple((number, *lab_of(text)) for number, text in pairs)


def lab_of(text: str) -> Lab:
    """``rrggbb`` in CIE Lab (D65). Raises ValueError for anything else."""
    values = bytes.fromhex(text)
    if len(values) != 3:
        raise ValueError(f"{text!r} is no colour: rrggbb is needed")
    lightness, a, b = rgb_to_lab(np.array([list(values)], dtype=np.float64))[0].tolist()
    return lightness, a, b
