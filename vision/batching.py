"""Batches that fit the memory: one that does not is halved, and the size that did fit is remembered."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vision.errors import EngineFailed

T = TypeVar("T")
Rows = npt.NDArray[np.float32]

#: What ONNX Runtime says when its arena, CUDA, cuBLAS or cuDNN get no memory; it has no error type for it.
_ONNX_PHRASES = ("failed to allocate memory", "out of memory", "alloc_failed", "bad allocation")

logger = logging.getLogger(__name__)


class Batches:
    """Runs a function over inputs, as many at once as the memory allows. One per engine and kind of input.

    ``limit`` is the size learned so far, None until memory ran out once. Used by several threads at a time
    it may be halved twice for one shortage, which costs some speed and nothing else.
    """

    def __init__(self, name: str, limit: int | None = None) -> None:
        self.name = name
        self.limit = limit

    def run(
        self, items: Sequence[T], once: Callable[[Sequence[T]], Rows], at_most: int | None = None
    ) -> Rows:
        """[N] inputs (N > 0) to float32 [N, ...]; ``once`` gets at most ``at_most`` of them.

        Raises EngineFailed when a single input does not fit; what else ``once`` raises goes through.
        """
        rows: list[Rows] = []
        start = 0
        while start < len(items):
            sizes = (self.limit, at_most, len(items) - start)
            size = max(1, min(size for size in sizes if size is not None))
            answer = self._attempt(items[start : start + size], once)
            if answer is None:
                _give_back()
                continue
            rows.append(answer)
            start += size
        return np.concatenate(rows)

    def _attempt(self, batch: Sequence[T], once: Callable[[Sequence[T]], Rows]) -> Rows | None:
        """None when it did not fit. Returning ends the error, whose frames hold on to the memory."""
        try:
            return once(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise EngineFailed(f"{self.name} has too little memory for one input.") from error
            self.limit = len(batch) // 2
            logger.warning("%s ran out of memory at %d inputs; now %d", self.name, len(batch), self.limit)
            return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether numpy, torch (on a card) or ONNX Runtime raised this because memory ran out."""
    if isinstance(error, MemoryError):
        return True
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    from_onnx = type(error).__module__.startswith("onnxruntime")
    return from_onnx and any(phrase in str(error).lower() for phrase in _ONNX_PHRASES)


def _give_back() -> None:
    """Let torch return what it keeps for later, so that pieces of the failed batch are not in the way."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
