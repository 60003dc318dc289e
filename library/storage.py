"""Where bytes lie: originals (read-only, always) and renditions (ours to write).

No path that comes from a request ever reaches this module: callers pass rows of the database.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Literal

from django.conf import settings

from library.models import Photo, PhotoFile, Root, VideoPart

Rendition = Literal["thumbnail", "preview"]
RENDITIONS: tuple[Rendition, ...] = ("thumbnail", "preview")


class OriginalMissing(Exception):  # noqa: N818 - a state of the disk, not a fault of the program
    """No file of the photo can be opened; the message names the paths that were tried."""


def here(path: bytes) -> bytes:
    """Where this machine sees a folder that the library knows by ``path``: see ROOT_MAP.

    The longest folder that holds it counts. Every path of an original that is opened comes through here.
    """
    return _mapped(path, settings.ROOT_MAP)


def in_the_library(path: bytes) -> bytes:
    """The reverse: how the library knows a folder that this machine sees as ``path``."""
    return _mapped(path, [(os.path.realpath(local), known) for known, local in settings.ROOT_MAP])


def _mapped(path: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    for before, after in sorted(pairs, key=lambda pair: len(pair[0]), reverse=True):
        inside = before.rstrip(b"/") + b"/"
        if path == before or path.startswith(inside):
            rest = path[len(inside) :]
            return after.rstrip(b"/") + b"/" + rest if rest else after
    return path


def root_path(root: Root) -> bytes:
    """The folder of a root as this machine sees it."""
    return here(bytes(root.path))


def original_path(file: PhotoFile) -> bytes:
    """The absolute path of an original on this machine, as bytes of the file system."""
    return os.path.join(root_path(file.root), bytes(file.relative_path))  # noqa: PTH118 - bytes, not text


def open_original(photo: Photo, *, files: Iterable[PhotoFile] | None = None) -> tuple[PhotoFile, BinaryIO]:
    """Open the first file of the photo that is there, for reading only; ``files`` limits the choice.

    Raises OriginalMissing when none can be opened.
    """
    tried: list[str] = []
    if files is None:
        files = photo.files.present().select_related("root").order_by("pk")
    for file in files:
        try:
            # A pipe that lies where the file was would wait for its writer for ever.
            descriptor = os.open(original_path(file), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            tried.append(f"{file.root.display_path}/{file.display_path}: {error.strerror}")
            continue
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return file, os.fdopen(descriptor, "rb")
        os.close(descriptor)
        tried.append(f"{file.root.display_path}/{file.display_path}: not a file any more")
    raise OriginalMissing("; ".join(tried) or "No file of this photo is there any more.")


def open_video(photo: Photo, part: VideoPart, *, files: Iterable[PhotoFile]) -> BinaryIO:
    """Open the file that holds the photo's video: one of ``files``, or the one beside the photo.

    Raises OriginalMissing when it cannot be opened.
    """
    if part.root is None or part.relative_path is None:
        return open_original(photo, files=files)[1]
    path = os.path.join(root_path(part.root), bytes(part.relative_path))  # noqa: PTH118 - bytes, not text
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise OriginalMissing(f"{os.fsdecode(path)}: {error.strerror}") from error


def rendition_path(sha256: str, kind: Rendition) -> Path:
    """Where a rendition lies: named by content, so a changed photo never shows an old picture."""
    return Path(settings.THUMBNAIL_DIR) / kind / sha256[:2] / sha256[2:4] / f"{sha256}.jpg"
