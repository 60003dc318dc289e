"""Half-written renditions. Each worker has a folder for them, so those of a killed one are found at once."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from ingest.leases import Worker, is_dead
from photos_project.logging import get_logger

logger = get_logger(__name__)
#: Whether a worker of another host lives cannot be seen from here; but it never writes this long at one file.
SILENT_SECONDS = 86_400


def partial_folder() -> Path:
    """Where this process writes its renditions before they are renamed into place."""
    return _all_partials() / _own_name(os.getpid())


@lru_cache(maxsize=1)
def _own_name(pid: int) -> str:
    return Worker.this_process().name.replace(os.sep, "_")


def _all_partials() -> Path:
    return Path(settings.THUMBNAIL_DIR) / "partial"


def abandoned() -> Iterator[Path]:
    """The folders of workers that are dead."""
    if not _all_partials().exists():
        return
    for folder in sorted(_all_partials().iterdir()):
        try:
            silent = time.time() - folder.stat().st_mtime
        except FileNotFoundError:  # another worker was faster
            continue
        if is_dead(folder.name) or (folder.name != _own_name(os.getpid()) and silent > SILENT_SECONDS):
            yield folder


def remove_abandoned() -> int:
    """Delete what dead workers were writing; returns the number of their folders."""
    removed = 0
    for folder in abandoned():
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("renditions.partial_removed", worker=folder.name)
        removed += 1
    return removed
