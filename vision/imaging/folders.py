"""What lies in a folder, listed once: companions of photos are looked up by name a hundred times a second."""

from __future__ import annotations

import os
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

_KEPT: Final = 64
#: A folder changed this recently may change again within the same tick of its clock: it is not kept.
_SETTLED_SECONDS: Final = 2.0
#: Names that belong to photos without being one. Anything else is not remembered.
_COMPANIONS: Final = (".json", ".xmp", ".ini", ".mov", ".mp4", ".m4v")


@dataclass(frozen=True, slots=True)
class Folder:
    """The companion files of one folder: names as they are, found by their normalised form."""

    path: bytes = b""
    exact: dict[str, bytes] = field(default_factory=dict)
    folded: dict[str, bytes] = field(default_factory=dict)
    endings: set[str] = field(default_factory=set)

    def find(self, names: Iterable[str]) -> bytes | None:
        """The path of the first of these names that is there, whatever its Unicode form; case counts last."""
        wanted = [unicodedata.normalize("NFC", name) for name in names]
        for name in wanted:
            if name in self.exact:
                return self._path(self.exact[name])
        for name in wanted:
            if name.casefold() in self.folded:
                return self._path(self.folded[name.casefold()])
        return None

    def _path(self, name: bytes) -> bytes:
        return os.path.join(self.path, name)  # noqa: PTH118 - bytes


_cache: OrderedDict[bytes, tuple[int, Folder]] = OrderedDict()
_lock = Lock()


def look_into(path: bytes) -> Folder:
    """The companions in this folder; an empty one when it cannot be read.

    Kept for the last folders until their time of change differs, so a thousand photos cost one listing.
    """
    try:
        mtime = os.stat(path).st_mtime_ns  # noqa: PTH116 - bytes
        with _lock:
            known = _cache.get(path)
            if known and known[0] == mtime:
                _cache.move_to_end(path)
                return known[1]
        folder = _listed(path)
    except OSError:
        return Folder()
    if time.time() - mtime / 1e9 > _SETTLED_SECONDS:
        with _lock:
            _cache[path] = (mtime, folder)
            while len(_cache) > _KEPT:
                _cache.popitem(last=False)
    return folder


def _listed(path: bytes) -> Folder:
    folder = Folder(path)
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        key = unicodedata.normalize("NFC", os.fsdecode(name))
        ending = f".{key.casefold().rpartition('.')[2]}"
        if ending in _COMPANIONS:
            folder.endings.add(ending)
            folder.exact.setdefault(key, name)
            folder.folded.setdefault(key.casefold(), name)
    return folder


def read_small(path: bytes, most: int) -> bytes | None:
    """The content of a small regular file; None when it cannot be read or is larger than ``most`` bytes."""
    try:
        # O_NONBLOCK: a named pipe of that name must not hang the worker.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123
            data = stream.read(most + 1)
    except OSError:
        return None
    return data if data is not None and len(data) <= most else None
