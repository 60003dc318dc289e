"""Files in and out: originals are read once and read only; our own files are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vision.errors import ImageRejected, VisionError

#: Most photos are read in one piece, which saves putting them together.
_CHUNK: Final = 32 << 20
#: Larger than any camera's RAW; what is bigger is not a photo and must not fill the memory of a worker.
DEFAULT_MAX_BYTES: Final = 1 << 30


class OriginalChanged(VisionError):  # noqa: N818 - a state that passes, to be tried again
    """The file was being written while it was read: its hash would name nothing. Try again later."""


@dataclass(frozen=True, slots=True)
class Original:
    """The content of a file as it was at one moment; ``size`` in bytes."""

    data: bytes
    sha256: str
    size: int
    mtime_ns: int

    def without_data(self) -> Original:
        """What is known of it, once its bytes are not needed any more."""
        return replace(self, data=b"")


def read_original(path: str | bytes | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> Original:
    """Read a file once, hashing while reading.

    ``path`` may be bytes, so that names which are not UTF-8 can be read. The access time is left alone where
    the system lets us. Raises OSError (missing, unreadable), ImageRejected (not a regular file, larger than
    ``max_bytes``) and OriginalChanged (it grew, shrank or was touched meanwhile).
    """
    descriptor = _open_read_only(path)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageRejected("not a regular file")
        if before.st_size > max_bytes:
            raise ImageRejected(f"the file has {before.st_size} bytes, more than the limit of {max_bytes}")
        data, digest = _read_and_hash(descriptor, before.st_size)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (len(data), before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != before.st_size:
        raise OriginalChanged(
            f"the file changed while it was read ({before.st_size} bytes before, {after.st_size} after)"
        )
    return Original(data, digest, len(data), before.st_mtime_ns)


def _open_read_only(path: str | bytes | os.PathLike[str]) -> int:
    # O_NONBLOCK: a named pipe among the photos must not hang the worker; regular files do not care.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        # Only the owner of a file may ask for O_NOATIME.
        return os.open(path, flags)


def _read_and_hash(descriptor: int, expected: int) -> tuple[bytes, str]:
    """At most one byte more than expected: enough to notice growth, whatever the writer does."""
    digest = hashlib.sha256()
    chunks: list[bytes] = []
    left = expected + 1
    while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK))):
        digest.update(chunk)
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks), digest.hexdigest()


def write_atomic(path: Path, data: bytes, *, fsync: bool = False, partial: Path | None = None) -> None:
    """Write a file so that readers see the old content or the new one, never half of it.

    Makes the folder when it is missing. On failure nothing is left behind and the OSError is raised; a killed
    process leaves the half-written file in ``partial``, a folder of the same file system (default: beside
    ``path``).
    """
    folder = partial or path.parent
    for needed in {folder, path.parent}:
        needed.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{path.name}.{secrets.token_hex(6)}.tmp"
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            if fsync:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
