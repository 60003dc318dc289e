"""The ages at which somebody is recognised: by birth and shot date, or by how the looks change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from people.neighbours import Vectors


class Era(StrEnum):
    """Stretches of a life within which faces stay alike; children's are short because they change fast."""

    INFANT = "infant"
    CHILD = "child"
    TEEN = "teen"
    YOUNG_ADULT = "young adult"
    ADULT = "adult"
    SENIOR = "senior"


#: The age in years at which each era begins. Recognition suffers most from the years before 12 (Deb et al.,
#: "Longitudinal study of child face recognition", 2018) and little within 15 years of adult life (Best-Rowden
#: and Jain, "Longitudinal study of automatic face recognition", 2018).
BEGINS: tuple[tuple[Era, float], ...] = (
    (Era.INFANT, 0.0),
    (Era.CHILD, 3.0),
    (Era.TEEN, 12.0),
    (Era.YOUNG_ADULT, 18.0),
    (Era.ADULT, 30.0),
    (Era.SENIOR, 60.0),
)
_DAYS_A_YEAR = 365.2425
#: Mean looks of two years of one person stay above this while the looks are the same; the means hold little
#: of the noise of single pictures.
_SAME_LOOKS = 0.8
#: However little somebody changes: a stretch of looks ends after so many years.
_LONGEST_STRETCH = 15


def age_at(birth: date, taken: date) -> float:
    """Years between the two; negative before birth."""
    return (taken - birth).days / _DAYS_A_YEAR


def era_of(birth: date, taken: date) -> Era:
    """The era of somebody born then in a photo taken then; dates that are a little off count as infancy."""
    age = age_at(birth, taken)
    return [era for era, begin in BEGINS if begin <= max(age, 0.0)][-1]


def eras_between(birth: date, first: date, last: date) -> list[Era]:
    """The eras that somebody went through in these years, in order."""
    ages = age_at(birth, first), age_at(birth, last)
    ends = [begin for _, begin in BEGINS[1:]] + [float("inf")]
    pairs = zip(BEGINS, ends, strict=True)
    return [era for (era, begin), end in pairs if begin <= max(ages[1], 0.0) and end > max(ages[0], 0.0)]


def stretches(years: Sequence[int | None], vectors: Vectors) -> list[str]:
    """For somebody without a birth date: the stretch of years of each face, such as ``2001–2006``.

    A stretch goes on while the mean look of the next year resembles that of the stretch so far. Faces without
    a year get an empty name.
    """
    named = np.array([year if year is not None else -1 for year in years])
    names = [""] * len(named)
    for group in _groups(named, vectors):
        title = f"{group[0]}–{group[-1]}" if len(group) > 1 else str(group[0])
        for row in np.flatnonzero(np.isin(named, group)):
            names[int(row)] = title
    return names


def _groups(named: npt.NDArray[np.int_], vectors: Vectors) -> list[list[int]]:
    groups: list[list[int]] = []
    total = np.zeros(vectors.shape[1] if len(vectors) else 0)
    for year in sorted({int(one) for one in named if one >= 0}):
        look = vectors[named == year].sum(axis=0, dtype=np.float64)
        alike = float(look @ total / max(np.linalg.norm(look) * np.linalg.norm(total), 1e-12))
        if groups and alike >= _SAME_LOOKS and year - groups[-1][0] < _LONGEST_STRETCH:
            groups[-1].append(year)
            total = total + look
        else:
            groups.append([year])
            total = look
    return groups
