"""The nearest faces of each face, exactly, in blocks of matrix products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
#: Rows compared at once: with 50,000 faces a block of products is 100 MB.
BLOCK = 512


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of each face its nearest others, the nearest first; rows without so many are filled up with -1.

    ``index`` is rows × k (numbers of faces), ``similarity`` the cosines (-1 where there is nobody).
    """

    index: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.index)


def nearest(vectors: Vectors, k: int, *, floor: float = -2.0) -> Neighbours:
    """The ``k`` nearest others of each unit vector, among those of a cosine of ``floor`` and more.

    Exact. Memory: two blocks of BLOCK × n products beside the answer. Most faces of a library are unlike:
    a floor leaves few to be sorted and makes it several times faster.
    """
    count = len(vectors)
    index = np.full((count, k), -1, dtype=np.int32)
    similarity = np.full((count, k), -1.0, dtype=np.float32)
    transposed = np.ascontiguousarray(vectors.T)
    for start in range(0, count, BLOCK):
        block = vectors[start : start + BLOCK] @ transposed
        rows = np.arange(len(block))
        block[rows, start + rows] = -3.0  # nobody is their own neighbour
        _take(block, k, floor, index[start : start + BLOCK], similarity[start : start + BLOCK])
    return Neighbours(index, similarity)


def _take(
    block: Vectors, k: int, floor: float, index: npt.NDArray[np.int32], similarity: npt.NDArray[np.float32]
) -> None:
    """Write each row's best into the two answers."""
    found = np.flatnonzero(block.ravel() >= floor)
    row, column = np.divmod(found, block.shape[1])
    ends = np.searchsorted(row, np.arange(len(block) + 1))
    for number in range(len(block)):
        near = column[ends[number] : ends[number + 1]]
        alike = block[number, near]
        if len(near) > k:
            best = np.argpartition(alike, -k)[-k:]
            near, alike = near[best], alike[best]
        order = np.lexsort((near, -alike))
        index[number, : len(near)] = near[order]
        similarity[number, : len(near)] = alike[order]
