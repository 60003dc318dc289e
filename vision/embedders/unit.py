"""The last step of every embedder: rows of numbers to unit vectors, or an error that counts the bad ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.errors import EngineFailed
from vision.results import Vectors


def unit_rows(rows: npt.NDArray[np.float32], dimensions: int, engine_id: str, what: str) -> Vectors:
    """float32 [N, D] to the same of unit length; ``what`` is ``picture`` or ``text``.

    Raises EngineFailed when the width is not ``dimensions`` or a row has no direction, naming its number.
    """
    if rows.ndim != 2 or rows.shape[1] != dimensions:
        raise EngineFailed(
            f"{engine_id} gave shape {rows.shape}; its configuration says embed_dim {dimensions}."
        )
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
    if bad.size:
        numbers = ", ".join(str(index + 1) for index in bad)
        raise EngineFailed(f"{engine_id} gave no usable vector for {what} {numbers} of {len(rows)}.")
    unit: Vectors = rows / norms
    return unit
