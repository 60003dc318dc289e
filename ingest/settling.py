"""Files that are still being written: they wait until they hold still, and are never read half."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ingest.scanner import FoundFile, Skipped, add_sidecar
from vision.imaging.metadata import sidecar_names

STILL_WRITTEN = "still being written: the next look takes it"
_NAP_SECONDS = 0.1


def is_settled(found: FoundFile, seconds: float) -> bool:
    """Whether nothing was changed about the file within the last ``seconds``.

    A time that lies further in the future is that of a clock that is wrong, and says nothing.
    """
    return abs(time.time_ns() - found.touched_ns) >= seconds * 1e9


def wait(fresh: Iterable[FoundFile], seconds: float, should_stop: Callable[[], bool]) -> None:
    """Wait until the youngest of the files has been left alone for ``seconds``, at most that long."""
    youngest = max(found.touched_ns for found in fresh) / 1e9
    left = min(seconds, youngest + seconds - time.time())
    end = time.monotonic() + left
    while time.monotonic() < end and not should_stop():
        time.sleep(min(_NAP_SECONDS, max(end - time.monotonic(), 0)))


def look_again(root: bytes, fresh: Iterable[FoundFile]) -> Iterator[FoundFile | Skipped]:
    """Those of the files that are as they were at the first look; for the others the reason to wait.

    A file that is gone by now is passed over: the next scan finds it vanished.
    """
    for found in fresh:
        try:
            now = _stat(root, found.relative_path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = f"cannot be looked at: {error.strerror}"
            yield Skipped(found.relative_path, reason, unseen=True)
            continue
        if (now, now.sidecar_ns, now.touched_ns) == (found, found.sidecar_ns, found.touched_ns):
            yield replace(found, touched_ns=0)
        else:
            yield Skipped(found.relative_path, STILL_WRITTEN, unseen=True)


def _stat(root: bytes, relative_path: bytes) -> FoundFile:
    path = os.path.join(root, relative_path)  # noqa: PTH118 - bytes
    status = os.stat(path)  # noqa: PTH116
    touched = max(status.st_mtime_ns, status.st_ctime_ns)
    found = FoundFile(relative_path, status.st_size, status.st_mtime_ns, touched_ns=touched)
    folder, name = os.path.split(path)
    for candidate in sidecar_names(name):
        try:
            return add_sidecar(found, os.stat(os.path.join(folder, candidate)))  # noqa: PTH116, PTH118
        except OSError:
            continue
    return found
