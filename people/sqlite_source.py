"""A SQLite database of another program, opened read-only, and which of its columns means what.

Columns are found by what the database says of its keys, and by the names that such programs give them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from people.transfer import NotReadable

TABLES: Final = ("photos", "people", "faces", "face_labels")

#: What a column means, by the names it may have; the first that is there counts.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "sha256": ("sha256", "file_hash", "content_hash", "hash", "checksum", "sha256_hash"),
    "path": ("path", "file_path", "filepath", "full_path", "original_path", "relative_path", "filename"),
    "photo": ("photo_id", "image_id", "photo", "file_id"),
    "face": ("face_id", "face"),
    "person": ("person_id", "people_id", "person", "identity_id"),
    "name": ("name", "display_name", "full_name", "label"),
    "birth_date": ("birth_date", "birthdate", "date_of_birth", "birthday", "dob"),
    "notes": ("notes", "note", "description", "comment"),
    "hidden": ("hidden", "is_hidden", "ignored"),
    "merged_into": ("merged_into", "merged_into_id", "parent_id", "canonical_id"),
    "width": ("width", "image_width", "photo_width"),
    "height": ("height", "image_height", "photo_height"),
    "box": ("bbox", "box", "bounding_box"),
    "verdict": ("verdict", "status", "state", "confirmed", "is_confirmed", "verified"),
    "source": ("source", "label_source", "label_type", "method", "origin", "created_by"),
    "confidence": ("confidence", "score", "probability", "similarity"),
    "at": ("at", "created_at", "labeled_at", "labelled_at", "updated_at", "timestamp"),
}


def open_read_only(path: Path) -> sqlite3.Connection:
    """The database, opened so that nothing can be written. Raises NotReadable."""
    if not path.is_file():
        raise NotReadable(f"{path}: there is no such file.")
    # Opened so, SQLite writes nothing beside the file either, and does not see what waits there.
    journal = path.with_name(path.name + "-wal")
    if journal.exists() and journal.stat().st_size:
        raise NotReadable(f"{path}: a program has it open. Close it, so that {journal.name} is written back.")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = on")
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    except sqlite3.DatabaseError as error:
        connection.close()
        raise NotReadable(f"{path}: this is no SQLite database ({error}).") from error
    if missing := [name for name in TABLES if name not in tables]:
        connection.close()
        raise NotReadable(f"{path}: there is no table {', '.join(missing)}.")
    return connection


@dataclass(slots=True)
class Table:
    """A table and which of its columns means what."""

    name: str
    columns: dict[str, str]
    keys: dict[str, str]
    key: str

    @classmethod
    def of(cls, connection: sqlite3.Connection, name: str) -> Table:
        """Look at the columns of a table. ``name`` is one of TABLES."""
        info = list(connection.execute(f"PRAGMA table_info({name})"))
        foreign = connection.execute(f"PRAGMA foreign_key_list({name})")
        key = next((row["name"] for row in info if row["pk"]), "rowid")
        columns = {row["name"].lower(): row["name"] for row in info}
        return cls(name, columns, {row["table"].lower(): row["from"] for row in foreign}, key)

    def find(self, meaning: str, table: str = "") -> str | None:
        """The column of a meaning: the one that refers to ``table``, or one with a usual name."""
        if table in self.keys:
            return self.keys[table]
        return next((self.columns[name] for name in _NAMES[meaning] if name in self.columns), None)

    def need(self, meaning: str, table: str = "") -> str:
        """As ``find``. Raises NotReadable when there is none."""
        column = self.find(meaning, table)
        if column is None:
            names = ", ".join(_NAMES[meaning])
            raise NotReadable(f"The table {self.name} has no column for the {meaning} (one of {names}).")
        return column

    def rows(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        """All of it, the oldest first; ``key`` is a column of its own."""
        statement = f"SELECT *, {_quoted(self.key)} AS heirloom_key FROM {self.name} ORDER BY rowid"  # noqa: S608
        try:
            return list(connection.execute(statement))
        except sqlite3.DatabaseError as error:
            raise NotReadable(f"The table {self.name} cannot be read: {error}.") from error


def _quoted(column: str) -> str:
    escaped = column.replace('"', '""')
    return f'"{escaped}"' if column != "rowid" else column
