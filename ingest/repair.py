"""Find what was lost on disk, and have it made again."""

from __future__ import annotations

from ingest.ledger import retry
from ingest.models import StepRun
from library.models import Photo
from library.storage import rendition_path


def reopen_without_renditions() -> int:
    """Have the originals read again of all shown photos whose thumbnail or preview is gone.

    Returns how many photos were opened. Engines that saw a photo before do not look at it again.
    """
    shown = Photo.objects.shown().filter(sha256__isnull=False).values_list("pk", "sha256")
    lost = [
        pk
        for pk, sha256 in shown.iterator(chunk_size=10_000)
        if not all(rendition_path(sha256 or "", kind).exists() for kind in ("thumbnail", "preview"))
    ]
    return retry(StepRun.objects.filter(photo_id__in=lost, step=StepRun.Step.PREPROCESSING))
