"""Originals are replaced, cut short and taken away while they are read."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest import verify
from ingest.models import StepRun
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, jpeg
from library.models import Photo
from library.storage import rendition_path
from tests.chaos.conftest import database_facts
from tests.chaos.results import differences

pytestmark = pytest.mark.django_db

PHOTOS = 16


def _overwrite(path: Path) -> None:
    path.write_bytes(jpeg(1000))


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _replace(path: Path) -> None:
    other = path.with_name("replacement.part")
    other.write_bytes(jpeg(1001))
    other.replace(path)


def _same_size_and_time(path: Path) -> None:
    """The nastiest editor of all: nothing but the bytes tells."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-20] ^= 0x55
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _remove(path: Path) -> None:
    path.unlink()


ACTIONS: tuple[Callable[[Path], None], ...] = (_overwrite, _cut, _replace, _remove)


class Interference:
    """Does things to originals at the moment their bytes are read; ``undo`` makes them as they were."""

    def __init__(self, folder: Path, backup: Path) -> None:
        self._folder = folder
        self._backup = backup
        shutil.copytree(folder, backup)
        self.planned: dict[str, Callable[[Path], None]] = {}
        self.done: list[str] = []

    def on_read(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        action = self.planned.pop(path.name, None) if path.parent == self._folder else None
        if action is not None:
            self.done.append(f"{action.__name__} {path.name}")
            action(path)

    def undo(self) -> None:
        for kept in self._backup.iterdir():
            place = self._folder / kept.name
            if not place.exists() or place.read_bytes() != kept.read_bytes():
                shutil.copy2(kept, place)
            shutil.copystat(kept, place)


@pytest.fixture
def interference(album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interference]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("The file that is being read is told by /proc, which only Linux has.")
    for number in range(PHOTOS):
        album.put(f"{number:02d}.jpg", number)
    made = Interference(album.folder, tmp_path / "backup")
    real = os.read

    def read(descriptor: int, size: int) -> bytes:
        made.on_read(descriptor)
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", read)
    yield made


@pytest.fixture
def undisturbed(album: Album, engines: Engines, interference: Interference) -> dict[str, object]:
    """What the library knows when nobody interferes; then it is empty again."""
    album.take_in()
    facts = database_facts()
    Photo.objects.all().delete()
    return facts


def test_originals_that_change_while_they_are_read(
    album: Album,
    engines: Engines,
    interference: Interference,
    undisturbed: dict[str, object],
    dice: random.Random,
) -> None:
    names = [f"{number:02d}.jpg" for number in range(PHOTOS)]
    album.scan()
    for _ in range(3):
        interference.planned = {name: dice.choice(ACTIONS) for name in dice.sample(names, PHOTOS // 2)}
        album.process()
        if dice.random() < 0.5:
            album.scan(accept_missing=True)
            album.process()
    interference.planned = {}
    interference.undo()
    album.take_in()
    assert interference.done
    assert differences(database_facts(), undisturbed) == []
    assert verify.verify(originals=True).faults == []


def test_other_bytes_that_were_there_only_while_they_were_read_do_not_stay_in_the_library(
    album: Album, engines: Engines, interference: Interference, undisturbed: dict[str, object]
) -> None:
    """Between two scans: the second finds the size and time that the first found."""
    album.scan()
    (album.folder / "03.jpg").write_bytes(jpeg(1002))
    album.process()
    interference.undo()
    album.take_in()
    assert differences(database_facts(), undisturbed) == []


def test_a_photo_whose_preview_and_original_were_away_for_a_moment_is_read_again(
    album: Album, engines: Engines, interference: Interference, undisturbed: dict[str, object]
) -> None:
    album.take_in()
    photo = album.photo("05.jpg")
    rendition_path(photo.sha256 or "", "preview").unlink()
    (album.folder / "05.jpg").unlink()
    StepRun.objects.filter(photo=photo, step="faces").update(status="pending")
    album.process()
    assert album.photo("05.jpg").state == Photo.State.FAILED
    interference.undo()
    album.take_in()
    assert differences(database_facts(), undisturbed) == []
