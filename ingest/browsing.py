"""Look into the folders of roots, for somebody who chooses one. Names of folders only, nothing else.

A folder is named by its root and its path below it, in a form that goes through a URL byte for byte. The path
is never put together as text and never resolved: every folder on the way is opened inside the one before, and
a symbolic link is not followed. So nothing that a request says leads out of a root, whatever is changed on
the disk meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.roots import ScanTarget, own_folders, rules_from_settings
from ingest.scanner import ScanRules
from library.models import Root
from library.storage import root_path

#: A page shows no more folders; those behind them are a page further.
MOST_FOLDERS = 500
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NoSuchFolder(Exception):  # noqa: N818 - an answer to a person
    """This is no folder inside a root, or it cannot be opened; says what is known about it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a root: ``path`` is below it, empty for the root itself."""

    root: Root
    path: bytes = b""

    @property
    def token(self) -> str:
        """Its name in a URL or a form."""
        return f"{self.root.pk}:{base64.urlsafe_b64encode(self.path).decode().rstrip('=')}"

    @property
    def name(self) -> str:
        """For people."""
        return self.path.rpartition(b"/")[2].decode("utf-8", "replace") or self.root.name

    @property
    def display(self) -> str:
        """With the root and all folders on the way, for people."""
        below = self.path.decode("utf-8", "replace")
        return f"{self.root.name}/{below}" if below else self.root.name

    @property
    def target(self) -> ScanTarget:
        """What a scan of it walks."""
        return ScanTarget(self.root, self.path)

    @property
    def around(self) -> list[Place]:
        """The folders on the way, from the root."""
        parts = self.path.split(b"/") if self.path else []
        return [Place(self.root, b"/".join(parts[:n])) for n in range(len(parts))]

    def holds(self, other: Place) -> bool:
        """Whether the other lies inside this one, or is it."""
        inside = not self.path or other.path == self.path or other.path.startswith(self.path + b"/")
        return self.root == other.root and inside


@dataclass(frozen=True, slots=True)
class Listing:
    """The folders right in a place; ``following`` is the name after which the next page begins."""

    place: Place
    folders: list[Place]
    following: str = ""


def place_of(token: str) -> Place:
    """The place of this token. The disk is not asked. Raises NoSuchFolder."""
    number, _, encoded = token.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NoSuchFolder("This is no folder of a root.")
    root = Root.objects.filter(pk=int(number)).first()
    try:
        padded = encoded.encode("ascii") + b"=" * (-len(encoded) % 4)
        path = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        path = b"/"
    parts = path.split(b"/") if path else []
    if root is None or b"\0" in path or any(part in (b"", b".", b"..") for part in parts):
        raise NoSuchFolder("This is no folder of a root.")
    return Place(root, path)


def check(place: Place) -> Place:
    """The same place, if it is there and may be scanned. Raises NoSuchFolder."""
    with _opened(place):
        return place


def look(place: Place, *, after: str = "") -> Listing:
    """The folders right in it, by name, from behind ``after``: one of their tokens. Raises NoSuchFolder."""
    rules = rules_from_settings()
    forbidden = {_identity(os.stat(folder)) for folder in own_folders() if folder.exists()}  # noqa: PTH116
    start = place_of(after).path.rpartition(b"/")[2] if after else b""
    with _opened(place) as folder:
        try:
            with os.scandir(folder) as entries:
                names = sorted(
                    os.fsencode(entry.name) for entry in entries if _is_shown(entry, rules, forbidden)
                )
        except OSError as error:
            raise NoSuchFolder(f"{place.display} cannot be read: {error.strerror}.") from error
    names = [name for name in names if name > start]
    inside = place.path + b"/" if place.path else b""
    shown = [Place(place.root, inside + name) for name in names[:MOST_FOLDERS]]
    return Listing(place, shown, shown[-1].token if len(names) > len(shown) else "")


@contextmanager
def _opened(place: Place) -> Iterator[int]:
    """A descriptor of the folder, reached from its root step by step."""
    rules = rules_from_settings()
    try:
        folder = os.open(root_path(place.root), _FLAGS & ~os.O_NOFOLLOW)
    except OSError as error:
        raise NoSuchFolder(
            f"{place.root.name} cannot be read: {error.strerror}. Is the disk mounted?"
        ) from error
    try:
        for part in place.path.split(b"/") if place.path else []:
            if _is_passed_over(part, rules):
                raise NoSuchFolder(f"{place.display} is left out by the settings.")
            try:
                inner = os.open(part, _FLAGS, dir_fd=folder)
            except OSError as error:
                raise NoSuchFolder(f"{place.display} cannot be read: {error.strerror}.") from error
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _is_shown(entry: os.DirEntry[str], rules: ScanRules, forbidden: set[tuple[int, int]]) -> bool:
    try:
        if not entry.is_dir(follow_symlinks=False):
            return False
        return not _is_passed_over(os.fsencode(entry.name), rules) and (
            _identity(entry.stat(follow_symlinks=False)) not in forbidden
        )
    except OSError:
        return False  # it went away between two looks


def _is_passed_over(name: bytes, rules: ScanRules) -> bool:
    hidden = name.startswith(b".") and not rules.include_hidden
    return hidden or name.decode("utf-8", "replace").casefold() in rules.excluded_folders


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
