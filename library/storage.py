"""Where bytes lie: originals (read-only, always) and renditions (ours to write).

No path that comes from a request ever reaches this module: callers pass rows of the database.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal

from django.conf import settings

from library.models import Photo, PhotoFile

Rendition = Literal["thumbnail", "preview"]


class OriginalMissing(Exception):  # noqa: N818 - a state of the disk, not a fault of the program
    """No file of the photo can be opened; the message names the paths that were tried."""


def original_path(file: PhotoFile) -> bytes:
    """The absolute path of an original, as bytes of the file system."""
    return os.path.join(bytes(file.root.path), bytes(file.relative_path))  # noqa: PTH118 - bytes, not text


def open_original(photo: Photo) -> tuple[PhotoFile, BinaryIO]:
    """Open the first file of the photo that is there, for reading only.

    Raises OriginalMissing when none can be opened.
    """
    tried: list[str] = []
    for file in photo.files.present().select_related("root").order_by("pk"):
        try:
            descriptor = os.open(original_path(file), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            tried.append(f"{file.root.display_path}/{file.display_path}: {error.strerror}")
            continue
        return file, os.fdopen(descriptor, "rb")
    raise OriginalMissing("; ".join(tried) or "No file of this photo is there any more.")


def rendition_path(photo: Photo, kind: Rendition) -> Path:
    """Where a rendition lies: named by content, so a changed photo never shows an old picture.

    Raises ValueError for a photo whose content was never read.
    """
    if not photo.sha256:
        raise ValueError(f"Photo {photo.pk} has no renditions: it was not read yet.")
    digest = photo.sha256
    return Path(settings.THUMBNAIL_DIR) / kind / digest[:2] / digest[2:4] / f"{digest}.jpg"
