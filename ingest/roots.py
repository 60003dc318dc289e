"""Register folders as roots, and scan them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from ingest.importer import Importer
from ingest.models import ScanSession
from ingest.scanner import ScanRules, walk
from library.models import Photo, Root


class RootRefused(Exception):  # noqa: N818 - a refusal the user can act on
    """A folder that cannot be a root; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """A root and the folder below it to walk (empty: all of it)."""

    root: Root
    subfolder: bytes = b""


@transaction.atomic
def register_folder(folder: str | bytes) -> ScanTarget:
    """The root for this folder. A folder inside a known root is a subfolder of it, not a second root.

    Raises RootRefused for what is not a readable folder, and for a folder around a known root.
    """
    path = os.path.realpath(os.fsencode(folder))
    shown = path.decode("utf-8", "replace")
    if not os.path.isdir(path):  # noqa: PTH112 - bytes
        raise RootRefused(f"{shown} is not a folder.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise RootRefused(f"{shown} cannot be read by this user: check its permissions.")
    for root in Root.objects.order_by("pk"):
        known = bytes(root.path)
        if path == known:
            return ScanTarget(root)
        if path.startswith(known.rstrip(b"/") + b"/"):
            return ScanTarget(root, path[len(known.rstrip(b"/")) + 1 :])
        if known.startswith(path.rstrip(b"/") + b"/"):
            raise RootRefused(
                f"{shown} contains {root.display_path}, which is a root already. "
                "Remove that root in /admin first, or add the other folders one by one."
            )
    name = os.path.basename(path).decode("utf-8", "replace") or shown  # noqa: PTH119 - bytes
    return ScanTarget(Root.objects.create(name=name[:200], path=path))


def rules_from_settings() -> ScanRules:
    """What a walk takes, from the settings."""
    return ScanRules(
        extensions=frozenset(settings.SUPPORTED_FORMATS),
        excluded_folders=frozenset(name.casefold() for name in settings.EXCLUDED_FOLDERS),
        include_hidden=settings.INCLUDE_HIDDEN,
        max_file_size=settings.MAX_FILE_SIZE,
        forbidden=(Path(settings.DATA_DIR), Path(settings.THUMBNAIL_DIR), Path(settings.MODEL_CACHE_DIR)),
    )


def scan(
    target: ScanTarget,
    *,
    priority: int = Photo.Priority.NORMAL,
    accept_missing: bool = False,
    progress: Callable[[int], object] = bool,
) -> ScanSession:
    """Walk the folder and take what is found into the library. Returns the closed session.

    A folder that is not there fails the session and marks nothing.
    """
    session = ScanSession.objects.create(root=target.root, subfolder=target.subfolder, priority=priority)
    importer = Importer(session, accept_missing=accept_missing)
    try:
        importer.take(walk(bytes(target.root.path), rules_from_settings(), target.subfolder), progress)
    except OSError as error:
        session.status = ScanSession.Status.FAILED
        session.message = f"{target.root.display_path} cannot be read: {error.strerror}. Is the disk mounted?"
        session.save(update_fields=["status", "message"])
        return session
    return importer.finish()
