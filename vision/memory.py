"""What the engines of this process took up when they were loaded, and how full the graphics cards are.

An adapter loads its model within ``loading``; what was loaded is kept in a list of this process, for whoever
wants to report it. Figures are differences of the whole process: two loads at the same moment share them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

MEBIBYTE = 1024 * 1024
#: A card fuller than this leaves no room for a batch of larger pictures.
FULL = 0.9


@dataclass(frozen=True, slots=True)
class Loaded:
    """A part of an engine that is in memory: how long loading took, and what it added, in MiB.

    ``gpu_mib`` is what torch holds on the card; other runtimes do not tell. ``details``: device, precision.
    """

    engine: str
    part: str
    seconds: float
    ram_mib: int
    gpu_mib: int
    at: datetime
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card and its memory in MiB, all processes together."""

    name: str
    used_mib: int
    total_mib: int

    @property
    def full(self) -> bool:
        """More than 90 % is in use."""
        return self.total_mib > 0 and self.used_mib > FULL * self.total_mib


_LOADED: dict[tuple[str, str], Loaded] = {}


@contextmanager
def loading(engine: str, part: str = "", **details: str) -> Iterator[dict[str, str]]:
    """Around the load of a model: measure it and keep the figures. Nothing is kept when it fails.

    Gives the details, for what is known only when the model is there (the device it really runs on).
    """
    started, ram, gpu = time.perf_counter(), process_mib(), _torch_mib()
    yield details
    _LOADED[engine, part] = Loaded(
        engine=engine,
        part=part,
        seconds=round(time.perf_counter() - started, 2),
        ram_mib=max(0, process_mib() - ram),
        gpu_mib=max(0, _torch_mib() - gpu),
        at=datetime.now(UTC),
        details=details,
    )


def loaded() -> list[Loaded]:
    """What is loaded in this process, in the order of loading."""
    return sorted(_LOADED.values(), key=lambda load: load.at)


def forget(engine: str) -> None:
    """This engine is used no more in this process."""
    for key in [key for key in _LOADED if key[0] == engine]:
        _LOADED.pop(key, None)


def process_mib() -> int:
    """Resident memory of this process in MiB."""
    return int(psutil.Process().memory_info().rss) // MEBIBYTE


def gpus() -> list[Gpu]:
    """The graphics cards by the driver's own tool (nvidia-smi); none when there is no such tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.rsplit(", ", 2) for line in answer.stdout.splitlines())
    # A card whose memory is shared with the processor says "[N/A]".
    return [
        Gpu(row[0], int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 3 and row[1].isdigit() and row[2].isdigit()
    ]


def _torch_mib() -> int:
    """What torch holds on the cards; 0 as long as it was not imported or has not touched one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    held = sum(torch.cuda.memory_allocated(card) for card in range(torch.cuda.device_count()))
    return int(held) // MEBIBYTE


if hasattr(os, "register_at_fork"):
    # The child starts without its parent's engines (see ``vision.registry``).
    os.register_at_fork(after_in_child=_LOADED.clear)
