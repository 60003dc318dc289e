"""From a picture to a page: what every reader does around its own models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.config import EngineConfig
from vision.readers.likelihood import may_hold_writing
from vision.readers.lines import Line
from vision.readers.orientation import Find, read_upright, turned_back
from vision.readers.reading_order import in_reading_order
from vision.readers.script import language_of_script
from vision.results import PageText, RGBImage, TextBlock

#: Lines are cut out of the picture at this long edge (that of a preview); lines are searched at DETECT_EDGE.
WORKING_EDGE = 2048
#: Measured: limiting the *longest* side to 1280 finds a sign 80 px high that RapidOCR's default misses.
DETECT_EDGE = 1280
#: Small pictures are enlarged towards this long edge, at most twice: a page of 384 px becomes readable.
SMALL_EDGE = 960
#: No writing is legible in a strip thinner than this (pixels).
THINNEST_SIDE = 8
#: How pages are read, for the identity of an engine: a page on its side or head is turned since 2.
REVISION = 2


def read_page(image: RGBImage, find: Find, config: EngineConfig) -> PageText:
    """The text of an upright RGB picture, in reading order.

    ``find`` gets the picture at working size, its channels in OpenCV's order (blue, green, red), and gives
    its lines. A page that lies on its side or head is read turned; its boxes are those in the picture as it
    is.
    """
    if min(image.shape[:2]) < THINNEST_SIDE:
        return PageText()
    working = working_copy(image)
    if config.ocr_prefilter and not may_hold_writing(working):
        return PageText()
    lines, turn = read_upright(working, find, config.ocr_min_confidence)
    kept = [line for line in lines if line.text and line.confidence >= config.ocr_min_confidence]
    blocks = tuple(
        TextBlock(text=block.text, confidence=block.confidence, box=turned_back(block.box, turn))
        for block in in_reading_order(map(_block, kept))
    )
    page = PageText(blocks=blocks)
    return PageText(blocks=blocks, language=language_of_script(page.text, config.ocr_language))


def revision(config: EngineConfig) -> str:
    """What the identity of every reader ends with."""
    return f"r{REVISION}" if config.ocr_prefilter else f"r{REVISION}-unfiltered"


def working_copy(image: RGBImage) -> npt.NDArray[np.uint8]:
    """The picture at working size with its channels in OpenCV's order (blue, green, red)."""
    height, width = image.shape[:2]
    long_edge = max(height, width)
    scale = min(WORKING_EDGE / long_edge, max(1.0, min(2.0, SMALL_EDGE / long_edge)))
    if scale != 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    return np.ascontiguousarray(image[:, :, ::-1])


def _block(line: Line) -> TextBlock:
    return TextBlock(text=line.text, confidence=line.confidence, box=line.box)
