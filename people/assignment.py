"""Who is who in one photo, when nobody may be two of its faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def best_assignment(gain: npt.NDArray[np.float64]) -> list[int]:
    """For each row the column it gets, or -1: no column twice, the sum of gains as large as can be.

    ``gain`` is rows × columns; a pair whose gain is 0 or less is never made, so use ``-inf`` for what must
    not be. Solved exactly with shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987), in cubic
    time: a photo has a few dozen faces at most.
    """
    rows, columns = gain.shape
    # A column of its own for each row stands for "nobody".
    cost = np.zeros((rows, columns + rows))
    cost[:, :columns] = -np.maximum(gain, 0.0)
    owner = np.full(columns + rows + 1, -1)
    row_price, column_price = np.zeros(rows), np.zeros(columns + rows + 1)
    for row in range(rows):
        _augment(row, cost, owner, row_price, column_price)
    chosen = [-1] * rows
    for column in range(columns):
        row = int(owner[column])
        if row >= 0 and gain[row, column] > 0:
            chosen[row] = column
    return chosen


def _augment(
    row: int,
    cost: npt.NDArray[np.float64],
    owner: npt.NDArray[np.int_],
    row_price: npt.NDArray[np.float64],
    column_price: npt.NDArray[np.float64],
) -> None:
    """Give ``row`` a column by the cheapest chain of moves; the last column is where the chain begins."""
    start = cost.shape[1]
    owner[start] = row
    slack = np.full(start, np.inf)
    before = np.full(start, start)
    done = np.zeros(start + 1, dtype=bool)
    column = start
    while owner[column] >= 0:
        done[column] = True
        here = int(owner[column])
        reduced = cost[here] - row_price[here] - column_price[:-1]
        better = ~done[:-1] & (reduced < slack)
        slack[better], before[better] = reduced[better], column
        column = int(np.where(done[:-1], np.inf, slack).argmin())
        step = slack[column]
        row_price[owner[done]] += step
        column_price[done] -= step
        slack[~done[:-1]] -= step
    while column != start:
        owner[column] = owner[before[column]]
        column = int(before[column])
    owner[start] = -1
