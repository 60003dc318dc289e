"""What a space's similarities mean here: the learnt curve, or the literature's until there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from library.models import EmbeddingSpace
from people import calibration
from people.calibration import FEATURES, Floats
from people.models import Calibration
from people.thresholds import Thresholds, defaults_for


@dataclass(frozen=True, slots=True)
class Scale:
    """``start``: the engine's literature thresholds, the coefficients' units; ``now``: those in use."""

    start: Thresholds
    now: Thresholds
    coefficients: Floats = field(default_factory=lambda: calibration.DEFAULT)

    def probabilities(
        self,
        similarity: Sequence[float],
        runner_up: Sequence[float],
        quality: Sequence[float],
        prior: Sequence[float],
    ) -> list[float]:
        """How likely each pair is one person."""
        if not similarity:
            return []
        rows = calibration.features(
            np.array(similarity), np.array(runner_up), np.array(quality), np.array(prior), self.start
        )
        return [float(one) for one in calibration.probability(rows, self.coefficients)]

    def is_clear(self, similarity: float, runner_up: float) -> bool:
        """Alike enough, and far enough from the next, to be named without asking."""
        ahead = similarity - max(runner_up, self.start.low)
        return similarity >= self.now.high and ahead >= self.now.margin


def scale_of(space: EmbeddingSpace) -> Scale:
    """The scale of a space of faces."""
    start = defaults_for(space.engine)
    # One that was fetched along with the space costs no query.
    try:
        learnt = space.calibration
    except Calibration.DoesNotExist:
        return Scale(start, start)
    if set(learnt.coefficients) != set(FEATURES):
        return Scale(start, start)
    now = Thresholds(learnt.low, learnt.high, learnt.margin, start.join)
    return Scale(start, now, np.array([learnt.coefficients[name] for name in FEATURES]))
