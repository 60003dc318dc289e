"""The order in which a person reads: lines from top to bottom, each from left to right."""

from __future__ import annotations

from collections.abc import Iterable

from vision.results import TextBlock

#: Two blocks are on one line when they share this part of the lower one's height.
SAME_LINE_OVERLAP = 0.5


def in_reading_order(blocks: Iterable[TextBlock]) -> tuple[TextBlock, ...]:
    """Group blocks into lines by their vertical overlap, then read line by line.

    A block is compared with the first block of a line, so that slanted text does not pull the whole
    page into one line.
    """
    lines: list[list[TextBlock]] = []
    for block in sorted(blocks, key=lambda b: (b.box.y + b.box.height / 2, b.box.x)):
        for line in reversed(lines):
            if _overlap(line[0], block) >= SAME_LINE_OVERLAP:
                line.append(block)
                break
        else:
            lines.append([block])
    lines.sort(key=lambda line: line[0].box.y)
    return tuple(block for line in lines for block in sorted(line, key=lambda b: b.box.x))


def _overlap(first: TextBlock, second: TextBlock) -> float:
    a, b = first.box, second.box
    shared = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    lower = min(a.height, b.height)
    return shared / lower if lower > 0 else 0.0
