"""Walk a folder of originals and say what is there. Reads names and sizes only, writes nothing."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vision.imaging.formats import extension_of, kind_of
from vision.imaging.metadata import sidecar_names

#: Kinds of files that belong to photos or to other programs; they are passed over without a word.
COMPANIONS = frozenset({"sidecar", "document", "system"})


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A picture file: its path below the root as bytes, its size in bytes, its time of change.

    ``sidecar_ns`` is the time of change of the XMP file beside it, 0 without one; ``touched_ns`` when
    anything about the two was changed last, also name, rights and a time that was set by hand (ctime).
    """

    relative_path: bytes
    size: int
    mtime_ns: int
    sidecar_ns: int = field(default=0, compare=False)
    touched_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out, and why.

    ``folder`` says that everything below was left out too; ``unseen`` that something is there that could not
    be looked at, so that nothing is known about it or what lies below.
    """

    relative_path: bytes
    reason: str
    folder: bool = False
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class ScanRules:
    """What the walk takes and what it passes over.

    ``extensions`` are lower-case without the dot; ``excluded_folders`` are names compared without case;
    ``forbidden`` are folders (ours) that are never walked even when they lie inside a root.
    """

    extensions: frozenset[str]
    excluded_folders: frozenset[str] = frozenset()
    include_hidden: bool = False
    max_file_size: int = 0
    forbidden: tuple[Path, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Area:
    """A folder below a root: with everything below it (``deep``), or only the files that lie in it."""

    folder: bytes = b""
    deep: bool = True


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk."""

    path: bytes
    identity: tuple[int, int]
    linked: bool = False


def walk(
    root: bytes, rules: ScanRules, subfolder: bytes = b"", *, deep: bool = True
) -> Iterator[FoundFile | Skipped]:
    """Everything below ``root/subfolder``, in a stable order; with ``deep=False`` only what lies in it.

    Symbolic links to folders are followed after everything else, so that a folder is found under its own name
    rather than a link's; each real folder is walked once, so a loop ends by itself. Raises OSError when the
    top folder itself cannot be read.
    """
    top = os.path.join(root, subfolder) if subfolder else root  # noqa: PTH118 - bytes
    seen = {_identity(os.stat(path)) for path in rules.forbidden if path.exists()}  # noqa: PTH116
    folders = [_Folder(subfolder, _identity(os.stat(top)))]  # noqa: PTH116
    links: deque[_Folder] = deque()
    first = True
    while folders or links:
        folder = folders.pop() if folders else links.popleft()
        if folder.identity in seen:
            if folder.linked:
                yield Skipped(folder.path, "link to a folder that was walked already", folder=True)
            continue
        seen.add(folder.identity)
        try:
            entries = _entries(os.path.join(root, folder.path) if folder.path else root)  # noqa: PTH118
        except OSError as error:
            if first:
                raise
            reason = f"folder cannot be read: {error.strerror}"
            yield Skipped(folder.path, reason, folder=True, unseen=_hides_something(error))
            continue
        first = False
        below: list[_Folder] = []
        sidecars = {entry.name: entry for entry in entries if entry.name.lower().endswith(b".xmp")}
        for entry in entries:
            found = _look_at(entry, folder.path, rules)
            if isinstance(found, _Folder):
                if deep:
                    (links if found.linked else below).append(found)
            elif isinstance(found, FoundFile) and sidecars:
                yield _with_sidecar(found, entry.name, sidecars)
            elif found is not None:
                yield found
        folders.extend(reversed(below))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _entries(path: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(path) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _hides_something(error: OSError) -> bool:
    """Whether there is something behind the error; a name that leads nowhere hides nothing."""
    return not isinstance(error, FileNotFoundError | NotADirectoryError)


def _look_at(
    entry: os.DirEntry[bytes], folder: bytes, rules: ScanRules
) -> FoundFile | Skipped | _Folder | None:
    """A file, a reason, a folder to walk, or nothing worth a word."""
    path = folder + b"/" + entry.name if folder else entry.name
    name = entry.name.decode("utf-8", "replace")
    try:
        if entry.is_dir():
            return _look_at_folder(entry, path, name, rules)
        status = entry.stat()
    except OSError as error:
        return Skipped(path, f"cannot be looked at: {error.strerror}", unseen=_hides_something(error))
    return _look_at_file(status, path, name, rules)


def _with_sidecar(found: FoundFile, name: bytes, sidecars: Mapping[bytes, os.DirEntry[bytes]]) -> FoundFile:
    """The file with the times of the sidecar that its metadata is read from, if there is one."""
    for candidate in sidecar_names(name):
        if candidate in sidecars:
            with suppress(OSError):
                return add_sidecar(found, sidecars[candidate].stat())
    return found


def add_sidecar(found: FoundFile, sidecar: os.stat_result) -> FoundFile:
    """The file with the times of its sidecar."""
    touched = max(found.touched_ns, sidecar.st_mtime_ns, sidecar.st_ctime_ns)
    return replace(found, sidecar_ns=sidecar.st_mtime_ns, touched_ns=touched)


def _look_at_folder(entry: os.DirEntry[bytes], path: bytes, name: str, rules: ScanRules) -> Skipped | _Folder:
    if name.casefold() in rules.excluded_folders:
        return Skipped(path, "excluded folder", folder=True)
    if name.startswith(".") and not rules.include_hidden:
        return Skipped(path, "hidden folder", folder=True)
    return _Folder(path, _identity(entry.stat()), linked=entry.is_symlink())


def _look_at_file(
    status: os.stat_result, path: bytes, name: str, rules: ScanRules
) -> FoundFile | Skipped | None:
    kind = kind_of(name)
    if kind in COMPANIONS:
        return None
    if name.startswith(".") and not rules.include_hidden:
        return Skipped(path, "hidden file")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "not a regular file")
    extension = extension_of(name)
    if extension not in rules.extensions:
        kinds = {"photo": "not listed in SUPPORTED_FORMATS", "unknown": "not a picture"}
        what = kinds.get(kind, f"not a supported picture: {kind}")
        return Skipped(path, f"{what} ({'.' + extension if extension else 'no extension'})")
    if status.st_size == 0:
        return Skipped(path, "empty file")
    if rules.max_file_size and status.st_size > rules.max_file_size:
        return Skipped(path, f"larger than MAX_FILE_SIZE ({rules.max_file_size} bytes)")
    return FoundFile(
        path,
        status.st_size,
        status.st_mtime_ns,
        touched_ns=max(status.st_mtime_ns, status.st_ctime_ns),
    )
