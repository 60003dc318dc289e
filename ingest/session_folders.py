"""The folders of a session, and what was found in each, while its walk goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ingest.models import ScanSession, SessionFolder


def folder_of(relative_path: bytes) -> bytes:
    """The folder of a file, below the root; empty for the root."""
    return relative_path.rpartition(b"/")[0]


class SessionFolders:
    """Folders become rows when something in them is taken up, with those around them up to the session's own.

    ``found`` counts from the start of this walk, ``taken`` over all walks of the session: a walk that was
    broken off is made again, and what the first one took is unchanged for the second.
    """

    def __init__(self, session: ScanSession) -> None:
        self._session = session
        self._top = bytes(session.subfolder)
        self._rows: dict[bytes, SessionFolder] | None = None
        #: Since the last look, by the folder of the file itself.
        self._seen: Counter[bytes] = Counter()
        #: Of all folders of this walk, with what lies below them.
        self._found: Counter[bytes] = Counter()
        self._changed: set[bytes] = set()

    def see(self, relative_path: bytes) -> None:
        """A file was found."""
        self._seen[folder_of(relative_path)] += 1

    def take(self, folder: bytes, count: int = 1) -> None:
        """So many files of this folder were taken up."""
        self.place(folder)
        for path in self._with_those_around(folder):
            self._known()[path].taken += count
            self._changed.add(path)

    def place(self, folder: bytes) -> int:
        """The row of a folder, made if need be."""
        rows = self._known()
        if folder not in rows:
            outer = None if folder == self._top else self._around(folder)
            parent = None if outer is None else self.place(outer)
            rows[folder] = SessionFolder.objects.create(
                session=self._session, parent_id=parent, path=folder, found=self._found[folder]
            )
        return rows[folder].pk

    def write(self) -> None:
        """Bring the rows up to date; a scan that takes nothing up has none."""
        for folder, count in self._seen.items():
            for path in self._with_those_around(folder):
                self._found[path] += count
                self._changed.add(path)
        self._seen.clear()
        rows = [row for path in self._changed if (row := self._known().get(path))]
        for row in rows:
            row.found = self._found[bytes(row.path)]
        SessionFolder.objects.bulk_update(rows, ["found", "taken"], batch_size=1000)
        self._changed.clear()

    def _known(self) -> dict[bytes, SessionFolder]:
        if self._rows is None:
            rows = SessionFolder.objects.filter(session=self._session)
            self._rows = {bytes(row.path): row for row in rows}
            self._changed = set(self._rows)
        return self._rows

    def _with_those_around(self, folder: bytes) -> Iterator[bytes]:
        """The folder, and every one that holds it, up to the top."""
        yield folder
        while folder != self._top:
            folder = self._around(folder)
            yield folder

    def _around(self, folder: bytes) -> bytes:
        """The folder around this one; never one above the top."""
        outer = folder_of(folder)
        return outer if not self._top or outer.startswith(self._top + b"/") else self._top
