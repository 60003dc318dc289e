"""Eras, prototypes and coverage; and who is who in a photo."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import pytest

from people.assignment import best_assignment
from people.eras import Era, era_of, eras_between, stretches
from people.prototypes import PER_ERA, Exemplar, choose, coverage

BORN = date(2000, 5, 1)


@pytest.mark.parametrize(
    ("taken", "era"),
    [
        (date(2000, 4, 20), Era.INFANT),
        (date(2003, 4, 30), Era.INFANT),
        (date(2003, 5, 3), Era.CHILD),
        (date(2013, 1, 1), Era.TEEN),
        (date(2018, 6, 1), Era.YOUNG_ADULT),
        (date(2031, 1, 1), Era.ADULT),
        (date(2070, 1, 1), Era.SENIOR),
    ],
)
def test_eras_go_by_age(taken: date, era: Era) -> None:
    assert era_of(BORN, taken) == era


def test_the_eras_somebody_lived_through() -> None:
    assert eras_between(BORN, date(2010, 1, 1), date(2020, 1, 1)) == [Era.CHILD, Era.TEEN, Era.YOUNG_ADULT]
    assert eras_between(BORN, BORN, date(2001, 1, 1)) == [Era.INFANT]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_without_a_birth_date_looks_make_the_eras() -> None:
    looks = np.eye(4)[[0, 0, 0, 1, 1, 2]]
    years = [2001, 2002, 2004, 2010, 2011, None]
    assert stretches(years, unit(looks)) == ["2001–2004"] * 3 + ["2010–2011"] * 2 + [""]
    assert all(len(name) <= 12 for name in stretches(years, unit(looks)))


def test_a_stretch_does_not_last_for_ever() -> None:
    years = list(range(1990, 2020))
    names = stretches(years, unit(np.tile(np.eye(4)[0], (30, 1))))
    assert sorted(set(names)) == ["1990–2004", "2005–2019"]


def exemplar(row: int, era: str = "child", quality: float = 0.8, *, pinned: bool = False) -> Exemplar:
    return Exemplar(face_id=100 + row, row=row, era=era, quality=quality, pinned=pinned)


def test_prototypes_are_good_and_unlike_each_other() -> None:
    vectors = unit(np.concatenate([np.eye(12)[:8], np.eye(12)[:1] + 0.01, np.eye(12)[8:9]]))
    faces = [exemplar(row) for row in range(9)] + [exemplar(9, quality=0.1)]
    chosen = choose(faces, vectors)
    assert len(chosen) == PER_ERA
    rows = {one.row for one in chosen}
    assert not {0, 8} <= rows, "two shots of the same moment"
    assert 9 not in rows, "a bad picture stands for nobody while there are good ones"
    assert [one.row for one in choose([exemplar(9, quality=0.1)], vectors)] == [9]


def test_pinned_faces_stay_and_every_era_has_its_own() -> None:
    vectors = unit(np.eye(16))
    faces = [exemplar(row, "child") for row in range(8)] + [exemplar(row, "adult") for row in range(8, 11)]
    faces[7] = exemplar(7, "child", 0.05, pinned=True)
    chosen = choose(faces, vectors)
    assert 107 in {one.face_id for one in chosen}
    assert sum(one.era == "child" for one in chosen) == PER_ERA
    assert sum(one.era == "adult" for one in chosen) == 3


def test_coverage_names_the_eras_that_lack_a_good_face() -> None:
    faces = [exemplar(0, "child"), exemplar(1, "child", 0.2), exemplar(2, "teen", 0.2)]
    found = coverage(faces, {100}, ["infant", "child"])
    assert [(one.era, one.faces, one.good, one.prototypes, one.lacking) for one in found] == [
        ("infant", 0, 0, 0, True),
        ("child", 2, 1, 1, False),
        ("teen", 1, 0, 0, True),
    ]


def test_assignment_is_the_best_there_is() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        rows, columns = (int(number) for number in random.integers(1, 5, 2))
        gain = random.normal(0.3, 1, (rows, columns))
        gain[random.random((rows, columns)) < 0.2] = -np.inf
        chosen = best_assignment(gain)
        used = [column for column in chosen if column >= 0]
        assert len(used) == len(set(used))
        assert _worth(gain, chosen) == pytest.approx(
            max(
                _worth(gain, choice)
                for choice in itertools.product(range(-1, columns), repeat=rows)
                if len({one for one in choice if one >= 0}) == sum(one >= 0 for one in choice)
            )
        )


def _worth(gain: np.ndarray, chosen: object) -> float:
    return float(sum(gain[row, one] for row, one in enumerate(chosen) if one >= 0))  # type: ignore[arg-type]
