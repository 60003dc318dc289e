"""HDBSCAN over a graph of nearest neighbours: groups of faces nobody knows yet, and what belongs to none.

Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates" (2013):
mutual reachability, minimum spanning tree, condensed tree, selection by excess of mass. The tree is built
from the neighbours alone, which is exact as long as the tree's edges are among them, and what a ``floor``
cuts off is cut off for good: faces less alike are of one person only by chance. Each piece of the graph hangs
on a root that stands for the floor, so a library of one person has one group. Distances are Euclidean, of
unit vectors.

Written here because scikit-learn brings SciPy and 190 MB, more than twice what NumPy takes, to an
installation that is lean by default, and takes no graph that falls into pieces. The tests hold it to
scikit-learn's labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from people.neighbours import Neighbours

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int_]
_NEVER_ZERO = 1e-6


def hdbscan(near: Neighbours, *, min_size: int = 3, min_samples: int = 2, floor: float | None = None) -> Ints:
    """The group of each row (0, 1, …), or -1 for what belongs to none.

    ``min_samples`` counts the row itself, as in scikit-learn. ``floor`` is the least cosine that was asked of
    the neighbours; without one the whole must be in one piece to be split, and is never one group itself.
    """
    count = len(near)
    tree = _merge(count, *_edges(near, min_samples))
    limit = _distance(np.array(floor)) if floor is not None else np.inf
    clusters = _condense(tree, count, min_size, float(limit))
    names = _select(clusters, whole=floor is not None)
    return np.array([names[owner] if owner >= 0 else -1 for owner in clusters.owner], dtype=int)


def _distance(similarity: npt.NDArray[np.floating]) -> Floats:
    return np.sqrt(np.maximum(2.0 - 2.0 * similarity.astype(np.float64), 0.0))


def _edges(near: Neighbours, min_samples: int) -> tuple[Ints, Ints, Floats]:
    """Every pair of neighbours once, by mutual reachability, the nearest first."""
    distance = np.where(near.index >= 0, _distance(near.similarity), np.inf)
    core = distance[:, min_samples - 2] if min_samples > 1 else np.zeros(len(near))
    row, rank = np.nonzero(near.index >= 0)
    other = near.index[row, rank].astype(int)
    reach = np.maximum(np.maximum(core[row], core[other]), distance[row, rank])
    low, high = np.minimum(row, other), np.maximum(row, other)
    _, once = np.unique(low * len(near) + high, return_index=True)
    once = once[np.isfinite(reach[once])]
    once = once[np.argsort(reach[once], kind="stable")]
    return low[once], high[once], reach[once]


@dataclass(slots=True)
class _Tree:
    """Merges in order: node ``count + n`` joins ``left[n]`` and ``right[n]`` at ``height[n]``."""

    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    height: list[float] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)


def _merge(count: int, low: Ints, high: Ints, reach: Floats) -> _Tree:
    """Kruskal's minimum spanning forest, as the dendrogram of single linkage."""
    tree = _Tree(size=[1] * count)
    parent = list(range(2 * count))

    def top(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other, height in zip(low.tolist(), high.tolist(), reach.tolist(), strict=True):
        left, right = top(one), top(other)
        if left != right:
            node = count + len(tree.left)
            parent[left] = parent[right] = node
            tree.left.append(left)
            tree.right.append(right)
            tree.height.append(height)
            tree.size.append(tree.size[left] + tree.size[right])
    tree.roots = [node for node in range(len(tree.size)) if parent[node] == node]
    return tree


@dataclass(slots=True)
class _Clusters:
    """The condensed tree: a parent always stands before its children. ``owner``: which cluster a row left."""

    owner: list[int]
    parent: list[int] = field(default_factory=list)
    birth: list[float] = field(default_factory=list)
    stability: list[float] = field(default_factory=list)

    def add(self, parent: int, birth: float) -> int:
        """A new cluster's number."""
        self.parent.append(parent)
        self.birth.append(birth)
        self.stability.append(0.0)
        return len(self.parent) - 1


def _condense(tree: _Tree, count: int, min_size: int, limit: float) -> _Clusters:
    """Walk down each piece: a split into two big parts makes two clusters, small parts fall off."""
    clusters = _Clusters(owner=[-1] * count)
    for root in tree.roots:
        if tree.size[root] < min_size:
            continue
        todo = [(root, clusters.add(-1, 1.0 / limit))]
        while todo:
            node, cluster = todo.pop()
            if node < count:
                clusters.owner[node] = cluster
                continue
            parts = (tree.left[node - count], tree.right[node - count])
            density = 1.0 / max(tree.height[node - count], _NEVER_ZERO)
            gone = [part for part in parts if tree.size[part] < min_size]
            leaving = tree.size[node] if not gone else sum(tree.size[part] for part in gone)
            clusters.stability[cluster] += leaving * (density - clusters.birth[cluster])
            if not gone:
                todo += [(part, clusters.add(cluster, density)) for part in parts]
                continue
            todo += [(part, cluster) for part in parts if part not in gone]
            for part in gone:
                _fall_off(tree, count, part, cluster, clusters.owner)
    return clusters


def _fall_off(tree: _Tree, count: int, node: int, cluster: int, owner: list[int]) -> None:
    todo = [node]
    while todo:
        node = todo.pop()
        if node < count:
            owner[node] = cluster
        else:
            todo += [tree.left[node - count], tree.right[node - count]]


def _select(clusters: _Clusters, *, whole: bool) -> list[int]:
    """The name of each cluster: its number among the chosen, or that of the chosen one it lies in, or -1."""
    number = len(clusters.parent)
    below = [0.0] * number
    chosen = [False] * number
    for one in reversed(range(number)):
        may = whole or clusters.parent[one] >= 0
        chosen[one] = may and clusters.stability[one] >= below[one]
        best = clusters.stability[one] if chosen[one] else below[one]
        if clusters.parent[one] >= 0:
            below[clusters.parent[one]] += best
    names = [-1] * number
    following = 0
    for one, parent in enumerate(clusters.parent):
        if parent >= 0 and names[parent] >= 0:
            names[one] = names[parent]
        elif chosen[one]:
            names[one] = following
            following += 1
    return names
