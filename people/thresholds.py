"""From which similarity on faces are one person, for each engine whose vectors are compared.

Three numbers an engine, cosines of unit vectors: below ``low`` two faces say nothing about each other, from
``high`` on a face is named without asking if the runner-up is ``margin`` less alike, and what lies between is
a question. ``join`` is what two unknown faces must share to be put into one group without a look at the rest.

They are where a library starts; ``people.calibration`` moves them by its confirmed and rejected labels.

- **insightface** (ArcFace, ``buffalo_l``): unrelated faces lie around 0 with a spread of 0.05 to 0.07, faces
  of one person around 0.6 (Deng et al., "ArcFace", CVPR 2019, figures on LFW, CFP-FP and AgeDB-30). Its
  maintainers name cosines of 0.3 to 0.6, and 0.5 as good enough (github.com/deepinsight/insightface, issue
  168); Immich, which names faces of family photos with the same model, takes 0.5 as the largest distance,
  that is a cosine of 0.5. So 0.5 names, 0.35 asks.
- **yunet_sface** (SFace): OpenCV takes 0.363 for one person (99.60 % on LFW). A library compares a face with
  hundreds of people at once, so that is where questions start; 0.55 names.
- **dlib**: its rule is a distance of 0.6, a cosine of 0.908 (``vision.faces.dlib_faces``), and its authors
  know that children come closer to each other than that: we measured 0.90 between a child and a stranger. So
  0.908 asks and 0.936, the strict distance of 0.5, names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines, see above. ``unit`` is the distance from low to high: what similarities are measured in."""

    low: float
    high: float
    margin: float
    join: float

    @property
    def unit(self) -> float:
        """Never 0."""
        return max(self.high - self.low, 1e-6)


#: By the engine's name in its space.
DEFAULTS: dict[str, Thresholds] = {
    "insightface": Thresholds(low=0.35, high=0.50, margin=0.06, join=0.50),
    "yunet_sface": Thresholds(low=0.363, high=0.55, margin=0.08, join=0.55),
    "dlib": Thresholds(low=0.908, high=0.936, margin=0.012, join=0.936),
}
#: Of an engine nobody has measured: strict, so that it asks rather than names.
CAUTIOUS = Thresholds(low=0.5, high=0.75, margin=0.1, join=0.75)


def defaults_for(engine: str) -> Thresholds:
    """Where an engine starts; ``CAUTIOUS`` for one that is not known."""
    return DEFAULTS.get(engine, CAUTIOUS)
