"""What the engines say about a picture, as plain frozen values.

Every box is given in fractions (0..1) of the *upright* image: ``x`` and ``y`` are the top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

#: uint8 array of shape [height, width, 3]: upright, sRGB.
RGBImage = npt.NDArray[np.uint8]
#: float32 array of shape [N, D] (or [D] where a single vector is meant), unit length.
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in fractions of the upright image."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tag:
    """One word an engine gives to a picture, with its confidence in 0..1."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class TextBlock:
    """One line of text found in a picture, in reading order among its neighbours."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class PageText:
    """All text of one picture. ``blocks`` is empty when there is none."""

    blocks: tuple[TextBlock, ...] = ()
    language: str = ""

    @property
    def text(self) -> str:
        """The blocks as lines."""
        return "\n".join(block.text for block in self.blocks)


class Pose(NamedTuple):
    """Which way a face looks, in degrees; 0 is straight ahead.

    A positive yaw turns it towards the right edge of the picture, a positive pitch lifts it, a positive roll
    tilts it clockwise.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face: where, how sure, how good for comparing, and its embedding (float32, unit length, [D]).

    ``confidence`` is the detector's score on the scale all engines share, ``quality`` has the same meaning
    for all of them (``vision.faces.quality``). Age and sex are guesses of a model about how somebody looks,
    wrong often enough: they may help to sort suggestions and are never shown as facts. An engine that does
    not estimate something leaves it None or empty.
    """

    box: Box
    confidence: float
    quality: float
    embedding: Vectors
    landmarks: tuple[tuple[float, float], ...] = ()
    pose: Pose | None = None
    age_guess: float | None = None
    sex_guess: Literal["female", "male", ""] = ""


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """A 256-bit PDQ hash (32 bytes, most significant bit first) and its quality in 0..100."""

    bits: bytes
    quality: int


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """The vector space an embedder writes into; vectors of different spaces are never compared."""

    engine: str
    model: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Whether the engine behind a port can run here and, when not, why and what helps."""

    port: str
    engine: str
    live: bool
    reason: str = ""
    remedy: str = ""
    details: dict[str, str] = field(default_factory=dict)
