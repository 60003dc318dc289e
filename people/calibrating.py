"""Learn a space's curve from its own answers.

A confirmed face and its person are a true pair: its likeness to the person's other faces is what a question
about it would have shown. The same face and the person next to it are a false pair, and so is every
rejection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db.models.functions import Coalesce

from library.models import EmbeddingSpace
from people import calibration
from people.calibration import FEATURES, Fit
from people.matching import Near, nearest_people
from people.models import Calibration, Face, FaceLabel
from people.thresholds import defaults_for

#: Fewer answers would only blur what is published.
LEAST_ANSWERS: Final = 20
#: The latest answers say enough.
MOST_ANSWERS: Final = 5000


@dataclass(frozen=True, slots=True)
class Pair:
    """What was known about a face and a person, and whether they are one."""

    similarity: float
    runner_up: float
    quality: float
    prior: float
    same: bool


def recalibrate(space: EmbeddingSpace) -> Calibration | None:
    """Learn from all answers of the space and store the curve; None, and nothing stored, with too few."""
    pairs = answered_pairs(space)
    if len(pairs) < LEAST_ANSWERS:
        return None
    found = learn(pairs, space.engine)
    stored, _ = Calibration.objects.update_or_create(
        space=space,
        defaults={
            "coefficients": dict(zip(FEATURES, map(float, found.coefficients), strict=True)),
            "high": found.thresholds.high,
            "low": found.thresholds.low,
            "margin": found.thresholds.margin,
            "bins": calibration.bins_as_data(found.bins),
            "labels": found.labels,
        },
    )
    return stored


def learn(pairs: Sequence[Pair], engine: str) -> Fit:
    """The curve of these pairs, starting from the engine's."""
    start = defaults_for(engine)
    rows = calibration.features(
        np.array([pair.similarity for pair in pairs]),
        np.array([pair.runner_up for pair in pairs]),
        np.array([pair.quality for pair in pairs]),
        np.array([pair.prior for pair in pairs]),
        start,
    )
    return calibration.fit(rows, [pair.same for pair in pairs], start)


def answered_pairs(space: EmbeddingSpace) -> list[Pair]:
    """True and false pairs from what people said about faces of this space, the latest answers first."""
    labels = (
        FaceLabel.objects.in_force()
        .filter(
            face__space=space,
            source=Face.Source.HUMAN_CONFIRMED,
            verdict__in=(FaceLabel.Verdict.CONFIRMED, FaceLabel.Verdict.REJECTED),
        )
        .order_by("-pk")
        .values_list("face_id", Coalesce("person__merged_into_id", "person_id"), "verdict", "face__quality")[
            :MOST_ANSWERS
        ]
    )
    said = list(labels)
    near = nearest_people({face for face, *_ in said}, space)
    pairs: list[Pair] = []
    for face, person, verdict, quality in said:
        people = near.get(face, [])
        if verdict == FaceLabel.Verdict.REJECTED:
            pairs += _pair(people, person, quality, same=False)
            continue
        pairs += _pair(people, person, quality, same=True)
        others = [one.person_id for one in people if one.person_id != person]
        pairs += _pair(people, others[0], quality, same=False) if others else []
    return pairs


def _pair(people: Sequence[Near], person: int, quality: float, *, same: bool) -> list[Pair]:
    """The pair, when the person is among the nearest; who is far off is never asked about."""
    own = next((one.similarity for one in people if one.person_id == person), None)
    if own is None:
        return []
    runner_up = max((one.similarity for one in people if one.person_id != person), default=-1.0)
    return [Pair(own, runner_up, quality, 0.0, same)]
