"""Colours by name: a small palette, each name with examples of what is called so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from vision.imaging.colour import rgb_to_lab

Lab = tuple[float, float, float]

_CODE: Final = re.compile(r"#?(?:([0-9a-f]{3})|([0-9a-f]{6}))")


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """A name and its examples as ``rrggbb``; the first one is shown. ``aliases`` are other words for it."""

    name: str
    examples: tuple[str, ...]
    aliases: tuple[str, ...] = ()


#: Libraries keep positions of this list: only ever add to its end.
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
_POSITIONS: Final = {
    name: number for number, colour in enumerate(PALETTE) for name in (colour.name, *colour.aliases)
}


def position(name: str) -> int | None:
    """Where a colour of this name stands in the palette, whatever its case; None when there is none."""
    return _POSITIONS.get(name.strip().lower())


def code(text: str) -> str | None:
    """``rrggbb`` of ``#rgb`` or ``#rrggbb``, with or without the ``#``; None for anything else."""
    match = _CODE.fullmatch(text.strip().lower())
    if match is None:
        return None
    return match[2] or "".join(2 * digit for digit in match[1])


@cache
def examples() -> tuple[tuple[int, Lab], ...]:
    """Every example: the position of its name, and where it lies in CIE Lab (D65)."""
    return tuple(
        (number, lab_of(example)) for number, colour in enumerate(PALETTE) for example in colour.examples
    )


def lab_of(example: str) -> Lab:
    """``rrggbb`` in CIE Lab (D65)."""
    lightness, a, b = rgb_to_lab(np.array([list(bytes.fromhex(example))], dtype=np.float64))[0].tolist()
    return lightness, a, b
