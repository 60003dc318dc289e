"""What other programs laid beside a photo: XMP sidecar, Takeout's JSON, Picasa's file of the folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vision.imaging import picasa, takeout
from vision.imaging.folders import Folder, look_into, read_small
from vision.imaging.metadata import sidecar_names
from vision.imaging.picasa import PicasaEntry
from vision.imaging.takeout import TakeoutNote

SIDECAR_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Companions:
    """What lies beside one photo. ``albums`` are titles with descriptions; ``warnings`` name what is broken.

    ``digests`` stand for what was read, so that one can tell whether another copy of the photo has more.
    """

    sidecar: bytes | None = None
    takeout: TakeoutNote | None = None
    picasa: PicasaEntry | None = None
    albums: tuple[tuple[str, str], ...] = ()
    digests: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def companions_of(paths: Iterable[bytes]) -> Companions:
    """What lies beside the files of one photo. Of each kind the first is taken, of albums every one.

    Never raises: what cannot be read is not there, what makes no sense is named in ``warnings``.
    """
    reader = _Reader()
    for path in paths:
        directory, name = os.path.split(path)
        reader.look(look_into(directory), name)
    return reader.found()


class _Reader:
    """Collects from one folder after another."""

    def __init__(self) -> None:
        self._sidecar: bytes | None = None
        self._note: TakeoutNote | None = None
        self._entry: PicasaEntry | None = None
        self._albums: dict[str, str] = {}
        self._digests: set[str] = set()
        self._warnings: list[str] = []

    def look(self, folder: Folder, name: bytes) -> None:
        """Take what is there for the photo of this name."""
        text = os.fsdecode(name)
        if sidecar := self._read(
            folder, [os.fsdecode(one) for one in sidecar_names(name)], SIDECAR_MOST_BYTES
        ):
            self._sidecar = self._sidecar or sidecar
            self._remember(sidecar)
        self._look_for_note(folder, text)
        data = self._read(folder, picasa.FILE_NAMES, picasa.MOST_BYTES)
        if data and (entry := picasa.parse_entry(data, text)):
            self._entry = self._entry or entry
            self._remember(repr(entry).encode())
        if data := self._read(folder, takeout.album_names(), takeout.MOST_BYTES):
            self._look_for_album(data)

    def found(self) -> Companions:
        """Everything so far."""
        return Companions(
            sidecar=self._sidecar,
            takeout=self._note,
            picasa=self._entry,
            albums=tuple(self._albums.items()),
            digests=frozenset(self._digests),
            warnings=tuple(self._warnings),
        )

    def _look_for_note(self, folder: Folder, name: str) -> None:
        if ".json" not in folder.endings:
            return
        for candidate in takeout.candidates(name):
            data = self._read(folder, [candidate.name], takeout.MOST_BYTES)
            if data is None:
                continue
            try:
                note = takeout.parse_note(data, "" if candidate.certain else name)
            except ValueError as error:
                self._warnings.append(f"{candidate.name}: {error}")
                continue
            if note:
                self._note = self._note or note
                self._remember(data)
                return

    def _look_for_album(self, data: bytes) -> None:
        try:
            album = takeout.parse_album(data)
        except ValueError as error:
            self._warnings.append(f"metadata of the album: {error}")
            return
        if album:
            self._albums.setdefault(*album)
            self._remember(repr(album).encode())

    def _read(self, folder: Folder, names: Iterable[str], most: int) -> bytes | None:
        path = folder.find(names)
        return read_small(path, most) if path else None

    def _remember(self, data: bytes) -> None:
        self._digests.add(hashlib.sha256(data).hexdigest()[:16])
