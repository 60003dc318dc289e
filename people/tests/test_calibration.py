"""The curve: the literature's without labels, this library's with many, never a foolish one."""

from __future__ import annotations

import numpy as np
import pytest

from people.calibrating import LEAST_ANSWERS, Pair, answered_pairs, learn, recalibrate
from people.calibration import (
    ASKING,
    DEFAULT,
    NAMING,
    expected_error,
    features,
    probability,
    reliability,
    thresholds_of,
)
from people.models import Calibration, FaceLabel
from people.scores import scale_of
from people.tests.recognition import confirmed, face_like, known_person, look
from people.thresholds import CAUTIOUS, DEFAULTS, defaults_for

FACES = DEFAULTS["insightface"]


def chance(similarity: float, runner_up: float = 0.0, quality: float = 0.5, prior: float = 0.0) -> float:
    return float(probability(features(similarity, runner_up, quality, prior, FACES))[0])


def pair(
    similarity: float, runner_up: float = 0.1, quality: float = 0.5, prior: float = 0.0, *, same: bool
) -> Pair:
    return Pair(similarity, runner_up, quality, prior, same)


def library(random: np.random.Generator, same: float, other: float, count: int = 400) -> list[Pair]:
    """Pairs of a library in which one person's faces lie around ``same``, others around ``other``."""
    true = random.normal(same, 0.07, count)
    false = random.normal(other, 0.05, count)
    return [pair(float(value), 0.1, 0.6, 0.0, same=True) for value in true] + [
        pair(float(value), 0.1, 0.6, 0.0, same=False) for value in false
    ]


@pytest.mark.parametrize("engine", sorted(DEFAULTS))
def test_without_labels_it_is_the_literatures(engine: str) -> None:
    found = learn([], engine)
    start = defaults_for(engine)
    assert np.allclose(found.coefficients, DEFAULT)
    assert found.thresholds.high == pytest.approx(start.high, abs=1e-3)
    assert found.thresholds.low == pytest.approx(start.low, abs=1e-3)
    assert (found.bins, found.error, found.labels) == ([], 0.0, 0)


def test_thresholds_are_where_the_curve_says_naming_and_asking() -> None:
    assert chance(FACES.high, FACES.high - FACES.margin) == pytest.approx(NAMING, abs=0.002)
    assert chance(FACES.low) == pytest.approx(ASKING, abs=0.002)


def test_more_likeness_margin_quality_and_circumstances_never_lower_it() -> None:
    alike = [chance(value) for value in np.linspace(-0.2, 1.0, 40)]
    assert alike == sorted(alike)
    assert chance(0.45, 0.44) < chance(0.45, 0.40) < chance(0.45, 0.36)
    assert chance(0.45, 0.1, 0.2) < chance(0.45, 0.1, 0.9)
    assert chance(0.40, 0.1, 0.5, -1) < chance(0.40, 0.1, 0.5, 1)


def test_a_few_labels_hardly_move_it() -> None:
    usual = [
        pair(0.55, same=True),
        pair(0.40, same=True),
        pair(0.30, same=False),
    ]
    found = learn(usual * 2, "insightface")
    assert abs(found.thresholds.high - FACES.high) < 0.2 * FACES.unit
    assert abs(found.thresholds.low - FACES.low) < 0.2 * FACES.unit


def test_a_few_surprises_make_it_careful_at_both_ends() -> None:
    odd = [pair(0.3, same=True), pair(0.7, same=False)]
    found = learn(odd * 2, "insightface")
    assert found.thresholds.high > FACES.high and found.thresholds.low < FACES.low


def test_many_labels_make_it_this_librarys() -> None:
    random = np.random.default_rng(1)
    easy = learn(library(random, same=0.55, other=0.05), "insightface")
    hard = learn(library(random, same=0.62, other=0.42), "insightface")
    assert easy.thresholds.high < FACES.high < hard.thresholds.high
    assert easy.error < 0.05 and hard.error < 0.08, "judged by curves that did not see the pair"
    assert sum(one.count for one in hard.bins) == hard.labels == 800


def test_nonsense_makes_no_slope_negative() -> None:
    backwards = [pair(0.1 + n / 500, 0.0, n / 200, -n / 50, same=n < 100) for n in range(200)]
    found = learn(backwards, "insightface")
    assert (found.coefficients[1:] >= 0).all()
    assert FACES.low < found.thresholds.high < 1 and found.thresholds.low < found.thresholds.high


def test_a_reliability_diagram_counts_everything_once() -> None:
    said = np.array([0.05, 0.05, 0.95, 1.0])
    true = np.array([0.0, 1.0, 1.0, 1.0])
    bins = reliability(said, true)
    assert [(one.low, one.count, one.observed) for one in bins] == [(0.0, 2, 0.5), (0.9, 2, 1.0)]
    assert expected_error(bins) == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)


def test_learnt_thresholds_stay_within_bounds() -> None:
    daring = thresholds_of([9.0, 5.0, 1.0, 1.0, 1.0], FACES)
    shy = thresholds_of([-30.0, 0.0, 0.0, 0.0, 0.0], FACES)
    assert daring.high > FACES.low + 0.6 * FACES.unit
    assert shy.high < 1 and shy.low <= FACES.high


@pytest.mark.django_db
def test_answers_are_learnt_from_and_stored_with_the_space() -> None:
    anna, bea = known_person("Anna", 0, faces=2), known_person("Bea", 1, faces=2)
    for number in range(LEAST_ANSWERS):
        confirmed(face_like(look(0, 0.62, noise=number)), anna)
        stranger = face_like(look(1, 0.58, noise=number))
        FaceLabel.objects.create(face=stranger, person=bea, verdict="rejected", source="human_confirmed")
    space = stranger.space
    assert space is not None
    pairs = answered_pairs(space)
    assert sum(one.same for one in pairs) >= LEAST_ANSWERS
    assert max(one.similarity for one in pairs if not one.same) == pytest.approx(0.58, abs=0.01)
    stored = recalibrate(space)
    assert stored is not None and stored.labels == len(pairs)
    scale = scale_of(space)
    assert (scale.now.high, scale.now.low) == (stored.high, stored.low)
    assert scale.probabilities([0.62, 0.58], [0.0, 0.0], [0.7, 0.7], [0.0, 0.0]) == sorted(
        scale.probabilities([0.62, 0.58], [0.0, 0.0], [0.7, 0.7], [0.0, 0.0]), reverse=True
    )
    assert recalibrate(space) == stored and Calibration.objects.count() == 1


@pytest.mark.django_db
def test_too_few_answers_change_nothing() -> None:
    known_person("Anna", 0, faces=3)
    space = face_like(look(0)).space
    assert space is not None and recalibrate(space) is None
    assert scale_of(space).now == CAUTIOUS
