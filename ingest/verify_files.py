"""The files behind the rows: are thumbnails, previews and originals what the database says they are?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeVar

from django.conf import settings

from ingest.leftovers import abandoned
from library.models import Photo, PhotoFile
from library.storage import RENDITIONS, original_path, rendition_path
from vision.errors import VisionError
from vision.imaging.files import read_original
from vision.imaging.open import load_rgb

MOST_EXAMPLES = 10
PART = 1000
_Item = TypeVar("_Item")
READ_AGAIN = "manage.py process --repair makes them again."
BROKEN = "Delete them, then manage.py process --repair."


@dataclass(slots=True)
class Finding:
    """What is not as it should be. A ``note`` is worth knowing and harms nothing."""

    check: str
    meaning: str
    remedy: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    severity: Literal["fault", "note"] = "fault"

    def add(self, example: str) -> None:
        """One more of it; the first ones are kept as examples."""
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(example)


def check_renditions(*, decode: bool, on_progress: Callable[[int], object]) -> list[Finding]:
    """Every shown photo has a thumbnail and a preview that decode; every rendition belongs to a photo."""
    missing = Finding("rendition_missing", "Thumbnails or previews are not on disk.", READ_AGAIN)
    broken = Finding("rendition_broken", "Thumbnails or previews cannot be decoded.", BROKEN)
    shown = Photo.objects.shown().filter(sha256__isnull=False).order_by("pk").values_list("pk", "sha256")
    looked_at = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for part in _parts(shown.iterator(chunk_size=PART)):
            paths = [(pk, rendition_path(sha256 or "", kind)) for pk, sha256 in part for kind in RENDITIONS]
            faults = pool.map(lambda item: _fault_of(item[1], decode=decode), paths)
            for (pk, path), fault in zip(paths, faults, strict=True):
                if fault is not None:
                    (broken if fault else missing).add(f"photo {pk}: {path}{fault and f' ({fault})'}")
            looked_at += len(paths)
            on_progress(looked_at)
    return [missing, broken]


def _fault_of(path: Path, *, decode: bool) -> str | None:
    """None: it is well; empty: it is not there; else why it cannot be decoded."""
    try:
        if decode:
            load_rgb(path)
        elif not path.stat().st_size:
            return "empty"
    except FileNotFoundError:
        return ""
    except (OSError, VisionError) as error:
        return str(error)
    return None


def check_leftovers() -> list[Finding]:
    """Files in THUMBNAIL_DIR that no photo needs: what a killed worker was writing, pictures of old bytes."""
    partial = Finding(
        "partial_file",
        "Half-written files of a worker that was killed.",
        "The workers remove them at their next start.",
        severity="note",
    )
    unused = Finding(
        "rendition_of_no_photo",
        "Thumbnails or previews of contents that no photo has.",
        "They may be deleted.",
        severity="note",
    )
    folder = Path(settings.THUMBNAIL_DIR)
    for path in chain(*(place.iterdir() for place in abandoned())):
        partial.add(str(path))
    for part in _parts(path for kind in RENDITIONS for path in (folder / kind).rglob("*.jpg")):
        known = set(
            Photo.objects.filter(sha256__in={path.stem for path in part}).values_list("sha256", flat=True)
        )
        for path in part:
            if path.stem not in known:
                unused.add(str(path))
    return [partial, unused]


def check_originals(*, on_progress: Callable[[int], object]) -> list[Finding]:
    """Read every original that is there and was read before, and compare its hash with the one recorded."""
    changed = Finding(
        "original_changed",
        "Originals have other bytes than when they were read, and the same size and time: a failing disk?",
        "Compare with your backup.",
    )
    closed = Finding(
        "original_unreadable", "Originals cannot be read.", "manage.py scan_library, or the disk."
    )
    newer = Finding(
        "original_newer",
        "Originals were edited since the last scan.",
        "manage.py scan_library",
        severity="note",
    )
    files = PhotoFile.objects.present().filter(photo__sha256__isnull=False).select_related("root", "photo")
    for number, file in enumerate(files.order_by("pk").iterator(chunk_size=PART), 1):
        try:
            found = read_original(original_path(file), max_bytes=settings.MAX_FILE_SIZE)
        except (OSError, VisionError) as error:
            closed.add(f"{file.root.display_path}/{file.display_path}: {error}")
            continue
        if (found.size, found.mtime_ns) != (file.size, file.mtime_ns):
            newer.add(f"{file.root.display_path}/{file.display_path}")
        elif found.sha256 != file.photo.sha256:
            changed.add(f"photo {file.photo_id}: {file.root.display_path}/{file.display_path}")
        on_progress(number)
    return [changed, closed, newer]


def _parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, PART)):
        yield part
