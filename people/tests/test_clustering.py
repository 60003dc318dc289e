"""HDBSCAN over neighbours gives scikit-learn's groups, and what is different is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from people.clustering import hdbscan
from people.neighbours import Neighbours, nearest

#: What scikit-learn 1.9.1 says of ``points(seed)`` with this min_cluster_size and min_samples: the sizes
#: of its clusters from large to small, and the number of noise points.
REFERENCE = {
    (1, 3, 2): ([35, 31, 23, 21, 13, 9], 11),
    (1, 5, 3): ([34, 31, 23, 20, 13, 8], 14),
    (1, 8, 5): ([34, 31, 23, 20, 13, 8], 14),
    (2, 3, 2): ([36, 29, 23, 20, 13, 8], 14),
    (2, 5, 3): ([34, 30, 23, 19, 13, 8], 16),
    (2, 8, 5): ([34, 29, 23, 19, 13, 8], 17),
    (3, 3, 2): ([34, 28, 24, 18, 14, 9, 3, 3], 10),
    (3, 5, 3): ([33, 29, 24, 18, 13, 9], 17),
    (3, 8, 5): ([33, 29, 24, 19, 13, 9], 16),
    (4, 3, 2): ([34, 29, 24, 18, 16, 10, 3], 9),
    (4, 5, 3): ([34, 29, 24, 18, 17, 9], 12),
    (4, 8, 5): ([33, 29, 23, 18, 14, 9], 17),
    (5, 3, 2): ([33, 30, 24, 18, 13, 9, 3], 13),
    (5, 5, 3): ([33, 29, 24, 18, 13, 9], 17),
    (5, 8, 5): ([33, 29, 24, 18, 13, 9], 17),
    (6, 3, 2): ([36, 29, 24, 21, 13, 9, 4], 7),
    (6, 5, 3): ([36, 29, 24, 18, 13, 9], 14),
    (6, 8, 5): ([37, 28, 24, 18, 13, 8], 15),
}


def points(seed: int) -> np.ndarray:
    """Groups of different density on the sphere, and noise."""
    random = np.random.default_rng(seed)
    middles = random.standard_normal((6, 16))
    spread = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
    parts = [
        middle + scale * random.standard_normal((8 + 5 * number, 16))
        for number, (middle, scale) in enumerate(zip(middles, spread, strict=True))
    ]
    found = np.concatenate([*parts, random.standard_normal((20, 16))])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def sizes(names: np.ndarray) -> list[int]:
    return sorted(np.bincount(names[names >= 0]).tolist(), reverse=True)


@pytest.mark.parametrize(("seed", "min_size", "min_samples"), REFERENCE)
def test_with_all_neighbours_the_groups_are_scikit_learns(seed: int, min_size: int, min_samples: int) -> None:
    vectors = points(seed)
    names = hdbscan(nearest(vectors, len(vectors) - 1), min_size=min_size, min_samples=min_samples)
    expected, noise = REFERENCE[seed, min_size, min_samples]
    # From three samples on, many distances are the same core distance, and which of them is merged first is
    # open: scikit-learn gives labels that differ by a point of a group when the rows come in another order.
    open_points = 0 if min_samples == 2 else 1
    found = sizes(names)
    assert len(found) == len(expected)
    assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) <= open_points
    assert abs(int((names < 0).sum()) - noise) <= open_points


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_few_neighbours_find_the_same_groups(seed: int) -> None:
    vectors = points(seed)
    whole = hdbscan(nearest(vectors, len(vectors) - 1), min_size=5, min_samples=3)
    few = hdbscan(nearest(vectors, 15), min_size=5, min_samples=3)
    same = [(whole[i] == whole[j]) == (few[i] == few[j]) for i in range(len(vectors)) for j in range(i)]
    assert np.mean(same) > 0.97


def test_one_group_is_found_when_there_is_a_floor() -> None:
    """Without one nothing says that a lone group is a group; with it a family of one has one."""
    random = np.random.default_rng(4)
    vectors = random.standard_normal((12, 16)) * 0.1 + np.eye(16)[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    near = nearest(vectors, 8, floor=0.5)
    assert set(hdbscan(near, floor=0.5)) == {0}


def test_below_the_floor_nobody_is_together() -> None:
    vectors = np.eye(8, dtype=np.float32)
    assert set(hdbscan(nearest(vectors, 4, floor=0.5), floor=0.5)) == {-1}


def test_nobody_and_the_same_picture_over_and_over() -> None:
    empty = np.zeros((0, 16), dtype=np.float32)
    assert len(hdbscan(nearest(empty, 4), floor=0.5)) == 0
    same = np.tile(np.eye(16, dtype=np.float32)[0], (5, 1))
    assert set(hdbscan(nearest(same, 4, floor=0.5), floor=0.5)) == {0}


def test_neighbours_are_the_nearest_and_never_oneself() -> None:
    random = np.random.default_rng(5)
    vectors = random.standard_normal((700, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = nearest(vectors, 5, floor=0.9)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    for row in range(len(vectors)):
        best = np.sort(alike[row][alike[row] >= 0.9])[::-1][:5]
        assert np.allclose(near.similarity[row][near.index[row] >= 0], best, atol=1e-6)
        assert row not in near.index[row]
        assert (near.similarity[row][near.index[row] < 0] == -1).all()


def test_the_order_of_faces_does_not_matter() -> None:
    vectors = points(6)
    order = np.random.default_rng(7).permutation(len(vectors))
    first = hdbscan(nearest(vectors, 15), min_size=5, min_samples=3)
    second = np.empty_like(first)
    second[order] = hdbscan(nearest(vectors[order], 15), min_size=5, min_samples=3)
    assert sizes(first) == sizes(second)
    assert isinstance(nearest(vectors, 3), Neighbours)
