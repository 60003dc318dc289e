"""Find what was lost on disk, and have it made again; count again what is kept."""

from __future__ import annotations

import os
from pathlib import Path

from ingest import counting, step_counts
from ingest.ledger import retry
from ingest.models import StepRun
from library.models import Photo
from library.storage import RENDITIONS, rendition_path


def reopen_without_renditions() -> int:
    """Have the originals read again of all shown photos whose thumbnail or preview is gone or cut short.

    Returns how many photos were opened. Engines that saw a photo before do not look at it again.
    """
    shown = Photo.objects.shown().filter(sha256__isnull=False).values_list("pk", "sha256")
    lost = [
        pk
        for pk, sha256 in shown.iterator(chunk_size=10_000)
        if not all(_is_whole(rendition_path(sha256 or "", kind)) for kind in RENDITIONS)
    ]
    return retry(StepRun.objects.filter(photo_id__in=lost, step=StepRun.Step.PREPROCESSING))


def recount() -> int:
    """Correct what is kept about photos beside their rows; returns how many counts and photos were wrong."""
    finished = Photo.objects.filter(state__in=Photo.FINAL_STATES).exclude(scan=0)
    return finished.update(scan=0) + counting.recount() + step_counts.recount()


def _is_whole(path: Path) -> bool:
    """A JPEG ends with its end marker (ISO/IEC 10918-1, B.2.1); one that was cut short does not."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 2))
            return stream.read(2) == b"\xff\xd9"
    except FileNotFoundError:
        return False
