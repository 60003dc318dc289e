"""What a search did and how long each part took, for ``explain_search``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.ranking import Ranking


class Trace:
    """Filled in by one search: milliseconds by stage in their order, and what was ranked by."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self.ranking: Ranking | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done in the block."""
        started = time.perf_counter()
        yield
        self.milliseconds[name] = (time.perf_counter() - started) * 1000
