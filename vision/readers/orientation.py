"""Pages that lie on their side or on their head.

A line that is turned is read, but worse than an upright one, and the order of the lines is lost. So the lines
found in the picture vote; when they say that the page is turned, the turned picture is read as well and the
better of both is kept. Turns are quarter turns to the left (``numpy.rot90``).

Measured with RapidOCR on seven photographed and drawn pages, each turned three ways: read as they lie, 1 of
the 21 keeps nine tenths of its letters; read like this 16 do, and none has fewer than before (a screenshot:
293 letters, as it lies 180 to 236). A turned page costs two readings or three, an upright one one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vision.readers.lines import Line
from vision.results import Box, RGBImage

Find = Callable[[RGBImage], list[Line]]

#: One side needs this many times the letters of the other to win a vote.
MAJORITY = 2.0
#: Fewer letters say nothing about a page.
FEWEST_LETTERS = 4
#: Without any sure vote a page of at least this many letters, read with less than this confidence, is
#: suspected.
SUSPECT_LETTERS, SUSPECT_CONFIDENCE = 12, 0.8
#: A turned reading counts when it is at least this good. Where the votes were clear, the order is worth a
#: little.
CLEARLY, DOUBTFULLY = 0.9, 1.05


def read_upright(image: RGBImage, find: Find, min_confidence: float) -> tuple[list[Line], int]:
    """Find the lines of a picture, if need be turned; the lines of that reading, and its turn (0 to 3).

    Only turned pages cost more than one reading.
    """
    best, turn = find(image), 0
    # Columns were read as the first turn shows them, so that it reads no better; but in the right order.
    enough = CLEARLY if _is_sure(best) or _in_columns(best) else DOUBTFULLY
    for quarter in suspected_turns(best):
        turned = find(np.ascontiguousarray(np.rot90(image, quarter)))
        if worth(turned, min_confidence) > enough * worth(best, min_confidence):
            best, turn = turned, quarter
        enough = DOUBTFULLY
    return best, turn


def suspected_turns(lines: Sequence[Line]) -> tuple[int, ...]:
    """The turns that may bring the page upright; empty for one that stands."""
    letters = _letters(lines)
    if letters < FEWEST_LETTERS:
        return ()
    if _in_columns(lines):
        winner = _winner([line for line in lines if line.tall])
        return (1, 3) if winner is None else (3,) if winner else (1,)
    winner = _winner([line for line in lines if not line.tall])
    if winner is None and not _is_sure(lines):
        doubtful = letters >= SUSPECT_LETTERS and worth(lines, 0.0) < SUSPECT_CONFIDENCE * letters
        return (2,) if doubtful else ()
    return (2,) if winner else ()


def worth(lines: Iterable[Line], min_confidence: float) -> float:
    """Letters, each weighted by the confidence of its line."""
    return sum(len(line.text) * line.confidence for line in lines if line.confidence >= min_confidence)


def turned_back(box: Box, turn: int) -> Box:
    """A box of the turned picture where it lies in the picture as it is."""
    x, y, width, height = box.x, box.y, box.width, box.height
    match turn % 4:
        case 1:
            return Box(x=1 - y - height, y=x, width=height, height=width)
        case 2:
            return Box(x=1 - x - width, y=1 - y - height, width=width, height=height)
        case 3:
            return Box(x=y, y=1 - x - width, width=height, height=width)
    return box


def _winner(lines: Sequence[Line]) -> bool | None:
    """Whether the lines stand on their head, when they agree enough."""
    on_head = _letters(line for line in lines if line.upside_down is True)
    upright = _letters(line for line in lines if line.upside_down is False)
    if max(on_head, upright) < FEWEST_LETTERS or max(on_head, upright) < MAJORITY * min(on_head, upright):
        return None
    return on_head > upright


def _in_columns(lines: Sequence[Line]) -> bool:
    return _letters(line for line in lines if line.tall) > _letters(lines) / 2


def _is_sure(lines: Sequence[Line]) -> bool:
    return any(line.upside_down is not None for line in lines)


def _letters(lines: Iterable[Line]) -> int:
    return sum(len(line.text) for line in lines)
