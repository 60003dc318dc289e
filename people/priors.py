"""What speaks for somebody besides the face: when, with whom, where and in which folder they were seen.

Each contribution is a logarithm of a likelihood ratio: how much more often the person is seen under these
circumstances than in the library at large, smoothed by a few imagined photos in which they are as frequent as
everywhere. So "never seen here" weighs little while little was seen here. The contributions are not
independent; ``people.calibration`` takes their sum with a factor of its own. They re-rank and inform: no face
is named on them alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

TIME, COMPANY, PLACE, FOLDER = "time", "company", "place", "folder"
KINDS = (TIME, COMPANY, PLACE, FOLDER)
#: Photos that are imagined beside those that were seen.
_SMOOTHING = 5.0
#: No single circumstance, and not all together, may outweigh the face.
_LEAST, _MOST = -1.5, 2.5
_TOTAL_LEAST, _TOTAL_MOST = -2.5, 4.0
#: A contribution smaller than this is not worth a word.
_WORTH_TELLING = 0.15
#: A picture shot at the same time counts this much; after _TIME_SCALE it is e times less.
_TIME_WEIGHT, _TIME_SCALE = 2.2, 45 * 60.0


@dataclass(frozen=True, slots=True)
class Reason:
    """One contribution. ``weight`` is in natural logarithms: positive speaks for the person."""

    kind: str
    text: str
    weight: float

    def as_data(self) -> dict[str, Any]:
        """For storing."""
        return {"kind": self.kind, "text": self.text, "weight": round(self.weight, 3)}


@dataclass(frozen=True, slots=True)
class Share:
    """Of ``photos`` photos under some circumstance, ``seen`` show the person."""

    seen: int
    photos: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about a person and a photo.

    ``base``: the person's share of all photos with known people. ``gaps``: seconds to the nearest photos that
    show the person. ``company``: for each other person in the photo or event, their name and in how many of
    their photos this person is. ``place``: photos nearby. ``folder``: photos of the same folder.
    """

    base: Share
    gaps: Sequence[float] = ()
    company: Sequence[tuple[str, Share]] = field(default=())
    place: Share | None = None
    folder: Share | None = None


def reasons(what: Circumstances, kinds: Collection[str] = KINDS) -> list[Reason]:
    """The contributions of these kinds, the weightiest first; what says nothing is left out."""
    found: list[Reason] = []
    if TIME in kinds and what.gaps:
        found.append(_time(what.gaps))
    if COMPANY in kinds:
        found += [_company(name, share, what.base) for name, share in what.company]
    if PLACE in kinds and what.place:
        seen = _photos(what.place.seen)
        text = f"in {seen} taken nearby" if what.place.seen else "in none of the photos taken nearby"
        found.append(Reason(PLACE, text, _ratio(what.place, what.base)))
    if FOLDER in kinds and what.folder:
        seen = _photos(what.folder.seen)
        text = f"in {seen} of this folder" if what.folder.seen else "in no other photo of this folder"
        found.append(Reason(FOLDER, text, _ratio(what.folder, what.base)))
    found = [one for one in found if abs(one.weight) >= _WORTH_TELLING]
    return sorted(found, key=lambda one: -abs(one.weight))


def total(found: Sequence[Reason]) -> float:
    """The sum, within bounds."""
    return min(max(sum(one.weight for one in found), _TOTAL_LEAST), _TOTAL_MOST)


def _ratio(here: Share, base: Share) -> float:
    everywhere = (base.seen + 0.5) / (base.photos + 1.0)
    rate = (here.seen + _SMOOTHING * everywhere) / (here.photos + _SMOOTHING)
    return min(max(log(rate / everywhere), _LEAST), _MOST)


def _time(gaps: Sequence[float]) -> Reason:
    """The nearest photo decides; more of them add a little."""
    nearest = min(gaps)
    near = [gap for gap in gaps if gap <= max(2 * nearest, 120.0)]
    weight = _TIME_WEIGHT * exp(-nearest / _TIME_SCALE) + 0.2 * log(len(near))
    return Reason(TIME, f"{_photos(len(near))} {_span(nearest)} apart", min(weight, _MOST))


def _company(name: str, share: Share, base: Share) -> Reason:
    weight = _ratio(share, base)
    text = f"with {name} in {_photos(share.seen)}" if share.seen else f"never with {name}"
    return Reason(COMPANY, text, weight)


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"


def _span(seconds: float) -> str:
    """In words: a minute is said for everything shorter."""
    minutes = max(1, round(seconds / 60))
    if minutes == 1:
        return "one minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = round(minutes / 60)
    return "one hour" if hours == 1 else f"{hours} hours"
