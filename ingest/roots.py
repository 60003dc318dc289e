"""Register folders as roots, and scan them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from ingest import settling
from ingest.importer import Importer
from ingest.models import ScanSession
from ingest.scanner import Area, FoundFile, ScanRules, Skipped, walk
from library.models import Photo, Root
from library.storage import in_the_library, root_path

SCAN_LOCK = 0x4E1A
#: How often a walk tells what it found, and looks whether it was paused or cancelled.
LOOK_SECONDS = 1.0
Status = ScanSession.Status


class RootRefused(Exception):  # noqa: N818 - a refusal the user can act on
    """A folder that cannot be a root; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """A root and the folder below it to walk (empty: all of it).

    With ``areas`` only these are walked, below ``subfolder``: a look at what has changed, in which
    folders may be gone altogether.
    """

    root: Root
    subfolder: bytes = b""
    areas: tuple[Area, ...] = ()


def check_folder(folder: str | bytes) -> bytes:
    """The real path of a folder that may be a root, found without the database. Raises RootRefused."""
    path = os.path.realpath(os.fsencode(folder))
    shown = path.decode("utf-8", "replace")
    if not os.path.isdir(path):  # noqa: PTH112 - bytes
        raise RootRefused(f"{shown} is not a folder.")
    if not os.access(path, os.R_OK | os.X_OK):
        raise RootRefused(f"{shown} cannot be read by this user: check its permissions.")
    for own in own_folders():
        if own.is_relative_to(os.fsdecode(path)):
            raise RootRefused(
                f"{shown} holds {own}, where Heirloom keeps its own files: it never writes to originals. "
                "Set DATA_DIR to a folder outside, or choose the folder of the photos only."
            )
    return path


@transaction.atomic
def register_folder(folder: str | bytes) -> ScanTarget:
    """The root for this folder. A folder inside a known root is a subfolder of it, not a second root.

    Raises RootRefused for what is not a readable folder, and for a folder around a known root.
    """
    path = in_the_library(check_folder(folder))
    shown = path.decode("utf-8", "replace")
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
        forbidden=own_folders(),
    )


def own_folders() -> tuple[Path, ...]:
    """Folders that Heirloom writes to: never scanned as a part of a root around them."""
    folders = (settings.DATA_DIR, settings.THUMBNAIL_DIR, settings.MODEL_CACHE_DIR)
    return tuple(Path(folder).resolve() for folder in folders)


def _never() -> bool:
    return False


def scan(
    target: ScanTarget,
    *,
    session: ScanSession | None = None,
    priority: int = Photo.Priority.NORMAL,
    accept_missing: bool = False,
    progress: Callable[[int], object] = bool,
    should_stop: Callable[[], bool] = _never,
    on_start: Callable[[ScanSession], object] = bool,
) -> ScanSession:
    """Walk the folder and take what is found into the library. Returns the closed session.

    When ``should_stop`` says so the walk ends early: what was found is kept, nothing counts as vanished. So
    does it when the session is paused, to be walked again later, or cancelled.

    A folder that is not there fails the session and marks nothing. While another process scans this root,
    this one waits. Files that are still being written are waited for, for SETTLE_SECONDS. A ``session`` that
    was queued before is walked unless somebody else has done it meanwhile; ``on_start`` is told of the
    session once its walk begins.
    """
    with _only_scan_of(target.root):
        if session is None:
            session = ScanSession.objects.create(
                root=target.root, subfolder=target.subfolder, priority=priority, partial=bool(target.areas)
            )
        elif not _begin(session):
            return session
        on_start(session)
        importer = Importer(session, target.areas or (Area(target.subfolder),), accept_missing=accept_missing)
        watched = _Watched(session, importer, should_stop)
        try:
            importer.take(takewhile(watched, _walk(target)), progress)
            if fresh := importer.fresh:
                settling.wait(fresh, settings.SETTLE_SECONDS, watched.should_stop)
                importer.take(settling.look_again(root_path(target.root), fresh), progress)
        except OSError as error:
            folder = os.path.join(root_path(target.root), target.subfolder).rstrip(b"/")  # noqa: PTH118
            shown = folder.decode("utf-8", "replace")
            _close(session, f"{shown} cannot be read: {error.strerror}. Is the disk mounted?")
            return session
        if watched.should_stop():
            importer.tell()
            _break_off(session, "The scan was interrupted; the next one goes on from there.")
            return session
        return importer.finish()


def _begin(session: ScanSession) -> bool:
    """Take a queued session; only one walker gets it."""
    queued = ScanSession.objects.filter(pk=session.pk, status=Status.QUEUED, paused=False)
    # A walk over changed folders that was broken off is made again over all around them.
    taken = queued.update(status=Status.RUNNING, message="", finished_at=None, partial=False)
    session.refresh_from_db()
    return bool(taken)


class _Watched:
    """Looks after a walk: once a second it tells what was found, and asks whether it is to go on."""

    def __init__(self, session: ScanSession, importer: Importer, should_stop: Callable[[], bool]) -> None:
        self._session = session
        self._importer = importer
        self._should_stop = should_stop
        self._at = time.monotonic()
        self._stopped = False

    def __call__(self, _: object) -> bool:
        """Whether the walk goes on after this file."""
        if time.monotonic() - self._at >= LOOK_SECONDS:
            self._at = time.monotonic()
            self._importer.tell()
            self._stopped = self._asked_to_stop()
        return not self._stopped and not self._should_stop()

    def should_stop(self) -> bool:
        """Whether it was stopped, or is to be."""
        self._stopped = self._stopped or self._should_stop() or self._asked_to_stop()
        return self._stopped

    def _asked_to_stop(self) -> bool:
        running = ScanSession.objects.filter(pk=self._session.pk, status=Status.RUNNING, paused=False)
        return not running.exists()


def _break_off(session: ScanSession, message: str) -> None:
    """A walk that was stopped: it is made again if the session was paused or is the workers' own."""
    again = Q(background=True) | Q(paused=True)
    running = ScanSession.objects.filter(pk=session.pk, status=Status.RUNNING)
    if running.filter(again).update(status=Status.QUEUED, background=True):
        session.refresh_from_db(fields=["status", "paused", "background"])
    elif running.exists():
        _close(session, message)
    else:
        session.refresh_from_db(fields=["status", "paused"])


def _walk(target: ScanTarget) -> Iterator[FoundFile | Skipped]:
    """What lies in the folders of the target. Raises OSError when the disk seems to be away."""
    root, rules = root_path(target.root), rules_from_settings()
    if not target.areas:
        yield from walk(root, rules, target.subfolder)
        return
    with os.scandir(root) as entries:
        if not any(entries):
            raise FileNotFoundError(errno.ENOENT, "the folder is empty", root)
    for area in target.areas:
        try:
            yield from walk(root, rules, area.folder, deep=area.deep)
        except (FileNotFoundError, NotADirectoryError):
            if not area.folder:
                raise


@contextmanager
def _only_scan_of(root: Root) -> Iterator[None]:
    """Hold the scan of this root; sessions that are still open then were killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [SCAN_LOCK, root.pk])
    try:
        for session in ScanSession.objects.filter(root=root, status=Status.RUNNING):
            _break_off(session, "The scan was interrupted; the next one went on from there.")
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SCAN_LOCK, root.pk])


@contextmanager
def walk_nobody_makes(root: Root) -> Iterator[bool]:
    """Whether no process scans this root now; for the time of the block none begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [SCAN_LOCK, root.pk])
        free = bool(cursor.fetchone()[0])
    try:
        yield free
    finally:
        if free:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SCAN_LOCK, root.pk])


def _close(session: ScanSession, message: str) -> None:
    """Unless it was cancelled meanwhile."""
    running = ScanSession.objects.filter(pk=session.pk, status=Status.RUNNING)
    running.update(status=Status.FAILED, message=message, finished_at=timezone.now())
    session.refresh_from_db(fields=["status", "message", "finished_at"])
