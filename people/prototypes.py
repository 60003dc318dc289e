"""Which faces stand for a person: good ones, of every age, unlike each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from people.neighbours import Vectors

#: Of each era so many at most. A face is compared with all of them, and more add little: the gain of a
#: gallery of several pictures is had with a handful (Best-Rowden et al., "Unconstrained face recognition:
#: identifying a person of interest from a media collection", 2014).
PER_ERA = 6
#: Below this a face says more about the picture than about the person; it stands for somebody only while
#: there is nothing better.
GOOD_QUALITY = 0.4
#: A face this much like one that is chosen already adds nothing.
_SAME_SHOT = 0.95


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A face somebody confirmed. ``row`` is its row in the matrix of vectors; ``year`` when it was shot."""

    face_id: int
    row: int
    era: str
    quality: float
    year: int | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well an era or a stretch of years is covered: faces known, good ones, and prototypes."""

    era: str
    faces: int
    good: int
    prototypes: int

    @property
    def lacking(self) -> bool:
        """No good face: whoever has that age is recognised badly."""
        return self.good == 0


def choose(exemplars: Sequence[Exemplar], vectors: Vectors) -> list[Exemplar]:
    """The prototypes: all pinned ones, and of each era up to PER_ERA that are good and unlike each other."""
    by_era: dict[str, list[Exemplar]] = defaultdict(list)
    for one in exemplars:
        by_era[one.era].append(one)
    return [one for era in sorted(by_era) for one in _of_era(by_era[era], vectors)]


def coverage(
    exemplars: Sequence[Exemplar], chosen: Collection[int], eras: Sequence[str] = ()
) -> list[Coverage]:
    """Of each era, ``eras`` first and also when it has no face; ``chosen`` are face ids of prototypes."""
    order = [*eras, *sorted({one.era for one in exemplars} - set(eras))]
    found = []
    for era in order:
        mine = [one for one in exemplars if one.era == era]
        good = sum(one.quality >= GOOD_QUALITY for one in mine)
        found.append(Coverage(era, len(mine), good, sum(one.face_id in chosen for one in mine)))
    return found


def with_eras(exemplars: Sequence[Exemplar], eras: Sequence[str]) -> list[Exemplar]:
    """The same faces, each with its era."""
    return [replace(one, era=era) for one, era in zip(exemplars, eras, strict=True)]


def _of_era(mine: list[Exemplar], vectors: Vectors) -> list[Exemplar]:
    """Farthest first, weighted by quality: the next is the one that adds most to what is there."""
    chosen = [one for one in mine if one.pinned]
    good = [one for one in mine if one.quality >= GOOD_QUALITY and not one.pinned]
    rest = good or [one for one in mine if not one.pinned]
    rest = sorted(rest, key=lambda one: (-one.quality, one.face_id))
    if not rest or len(chosen) >= PER_ERA:
        return chosen
    if not chosen:
        chosen = [_middle(rest, vectors)]
    rows = np.array([one.row for one in rest])
    weight = 0.5 + np.array([one.quality for one in rest])
    nearest = (vectors[rows] @ vectors[[one.row for one in chosen]].T).max(axis=1)
    while len(chosen) < PER_ERA:
        best = int(np.argmax((1.0 - nearest) * weight))
        if nearest[best] >= _SAME_SHOT:
            break
        chosen.append(rest[best])
        nearest = np.maximum(nearest, vectors[rows] @ vectors[rest[best].row])
    return chosen


def _middle(rest: Sequence[Exemplar], vectors: Vectors) -> Exemplar:
    """A good face near the mean of all: where most pictures of that age lie."""
    mine = vectors[[one.row for one in rest]]
    typical = mine @ mine.mean(axis=0)
    return rest[int(np.argmax(typical * (0.5 + np.array([one.quality for one in rest]))))]
