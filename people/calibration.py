"""How likely a face is the person it resembles: a logistic curve, learnt from what people said.

The features of a pair (face, person), all dimensionless:

- **similarity**: (cosine − low) / (high − low) of the engine's literature thresholds, so 0 at low and 1 at
  high;
- **margin**: how far the runner-up is behind, in units of the margin that is asked for, 0 to 2;
- **quality**: of the face, 0..1, less 0.5;
- **prior**: the sum of the log-likelihood ratios of ``people.priors``.

The coefficients are the maximum a posteriori of a logistic regression whose prior is a normal distribution
around the literature's (``DEFAULT``): without labels they are the literature's, with a handful they hardly
move, with hundreds they are this library's (Platt, "Probabilistic outputs for support vector machines", 1999,
for the curve; Gelman et al., "A weakly informative default prior distribution for logistic regression", 2008,
for the prior). More likeness never lowers the probability: slopes are held at zero or above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from people.thresholds import Thresholds

Floats = npt.NDArray[np.float64]

FEATURES = ("intercept", "similarity", "margin", "quality", "prior")
#: 15 % at low with a runner-up as alike, 99 % at high with the margin that is asked for. Contributions of the
#: priors overlap (a folder is often an event is often an hour), so their sum counts for less than it says.
DEFAULT: Floats = np.array([-1.735, 4.53, 1.8, 2.0, 0.6])
#: How far labels may pull each coefficient: the spread of the normal prior.
SPREAD: Floats = np.array([1.0, 1.5, 0.8, 0.8, 0.3])
#: A name is given without asking at this probability, and a question is worth asking from that one on.
NAMING, ASKING = 0.99, 0.15
#: Learnt thresholds stay within this stretch, in units of high − low: no run of luck makes it careless.
HIGH_RANGE, LOW_RANGE = (0.7, 2.5), (-0.5, 0.6)
FOLDS = 5
BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs whose probability was said to lie in [low, high): how many, what was said, what was true."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients in the order of FEATURES, the thresholds that follow, and how well it foretells.

    ``bins`` and ``error`` (expected calibration error, 0..1) come from cross-validation: each pair is judged
    by a curve that did not see it.
    """

    coefficients: Floats
    thresholds: Thresholds
    bins: list[Bin]
    error: float
    labels: int


def features(
    similarity: npt.ArrayLike,
    runner_up: npt.ArrayLike,
    quality: npt.ArrayLike,
    prior: npt.ArrayLike,
    start: Thresholds,
) -> Floats:
    """One row a pair. ``start`` are the engine's literature thresholds, whatever was learnt since.

    A runner-up below low counts as one at low: nobody is clear of nobody.
    """
    alike = np.atleast_1d(np.asarray(similarity, dtype=np.float64))
    second = np.maximum(np.asarray(runner_up, dtype=np.float64), start.low)
    columns = (
        np.ones_like(alike),
        np.clip((alike - start.low) / start.unit, -4.0, 4.0),
        np.clip((alike - second) / start.margin, 0.0, 2.0),
        np.broadcast_to(np.asarray(quality, dtype=np.float64) - 0.5, alike.shape),
        np.broadcast_to(np.asarray(prior, dtype=np.float64), alike.shape),
    )
    return np.column_stack(columns)


def probability(rows: Floats, coefficients: npt.ArrayLike = DEFAULT) -> Floats:
    """Of each row of ``features``: 0..1."""
    return _sigmoid(rows @ np.asarray(coefficients, dtype=np.float64))


def fit(rows: Floats, truth: Sequence[bool], start: Thresholds) -> Fit:
    """Learn from labelled pairs; with none of them it gives back the literature's values."""
    labels = np.asarray(truth, dtype=np.float64)
    coefficients = _most_likely(rows, labels)
    predicted = _cross_validated(rows, labels)
    bins = reliability(predicted, labels)
    return Fit(coefficients, thresholds_of(coefficients, start), bins, expected_error(bins), len(labels))


def thresholds_of(coefficients: npt.ArrayLike, start: Thresholds) -> Thresholds:
    """Where the curve crosses NAMING (with the margin that is asked for) and ASKING (with none)."""
    intercept, slope, margin, *_ = np.asarray(coefficients, dtype=np.float64)
    slope = max(float(slope), 1e-3)
    high = np.clip((_logit(NAMING) - intercept - margin) / slope, *HIGH_RANGE)
    low = np.clip((_logit(ASKING) - intercept) / slope, *LOW_RANGE)
    return Thresholds(
        low=start.low + float(low) * start.unit,
        high=min(start.low + float(high) * start.unit, 0.995),
        margin=start.margin,
        join=start.join,
    )


def reliability(predicted: Floats, truth: Floats) -> list[Bin]:
    """The reliability diagram: BINS equal bins of probability; empty ones are left out."""
    which = np.minimum((predicted * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        inside = which == number
        if inside.any():
            said, true = float(predicted[inside].mean()), float(truth[inside].mean())
            found.append(Bin(number / BINS, (number + 1) / BINS, int(inside.sum()), said, true))
    return found


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far saying and truth are apart, weighted by how often (0..1)."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.predicted - one.observed) for one in bins) / total if total else 0.0


def bins_as_data(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """For storing and drawing."""
    return [
        {
            "low": one.low,
            "high": one.high,
            "count": one.count,
            "predicted": round(one.predicted, 4),
            "observed": round(one.observed, 4),
        }
        for one in bins
    ]


def _most_likely(rows: Floats, labels: Floats) -> Floats:
    """Newton's method; a slope that would fall below zero is held there and the rest found anew."""
    free = np.ones(len(FEATURES), dtype=bool)
    while True:
        found = _newton(rows, labels, free)
        wrong = free & (found < 0)
        wrong[0] = False
        if not wrong.any():
            return found
        free &= ~wrong


def _newton(rows: Floats, labels: Floats, free: npt.NDArray[np.bool_]) -> Floats:
    precision = 1.0 / SPREAD**2
    found = np.where(free, DEFAULT, 0.0)
    for _ in range(50):
        said = _sigmoid(rows @ found)
        gradient = (rows.T @ (labels - said) - precision * (found - DEFAULT))[free]
        curvature = (rows.T * (said * (1 - said))) @ rows + np.diag(precision)
        step = np.linalg.solve(curvature[np.ix_(free, free)], gradient)
        # Steps from far off may overshoot; the prior keeps the curvature away from zero.
        longest = float(np.abs(step).max())
        found[free] += step if longest <= 1.0 else step / longest
        if longest < 1e-9:
            break
    return found


def _cross_validated(rows: Floats, labels: Floats) -> Floats:
    """Each pair's probability by a curve learnt from the other folds; pairs are dealt out in turn."""
    fold = np.arange(len(labels)) % FOLDS
    predicted = np.zeros(len(labels))
    for number in range(FOLDS):
        inside = fold == number
        if inside.any():
            predicted[inside] = probability(rows[inside], _most_likely(rows[~inside], labels[~inside]))
    return predicted


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -40, 40))), dtype=np.float64)


def _logit(value: float) -> float:
    return float(np.log(value / (1 - value)))
