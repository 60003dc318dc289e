"""Disks that are full: that of the renditions, and that of the database."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from ingest import leases, verify
from ingest.steps.preprocessing import RenditionsNotWritten
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, states
from library.models import Photo
from tests.chaos.conftest import database_facts
from tests.chaos.results import differences
from tests.product import Installation, digests

MEBIBYTE = 1 << 20


class SmallDisk:
    """A file system in memory that can be filled up and emptied again."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=711", "tmpfs", str(folder)]
        if os.getuid() != 0 or shutil.which("mount") is None:
            pytest.skip("Only root can mount a small disk; the stub of a full disk is tried all the same.")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"A small disk cannot be mounted here: {done.stderr.strip()}")

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, *, leave: int) -> None:
        """Fill it up but for about ``leave`` bytes."""
        free = shutil.disk_usage(self.folder).free
        with self._ballast.open("ab") as ballast:
            for _ in range(max(0, free - leave) // 4096):
                ballast.write(b"\0" * 4096)

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    tmp_path.chmod(0o711)
    disk = SmallDisk(tmp_path / "small disk", request.param)
    yield disk
    disk.unmount()


@pytest.fixture
def filled(album: Album, engines: Engines) -> dict[str, Any]:
    """What twelve photos give on a disk with room; then the library is empty again."""
    for number in range(12):
        album.put(f"{number:02d}.jpg", number)
    album.take_in()
    facts = database_facts()
    Photo.objects.all().delete()
    return facts


def _untouched_and_free() -> None:
    assert not Photo.objects.exclude(leased_by="").exists()
    assert not Photo.objects.filter(lost_leases__gt=0).exists()
    assert "failed" not in states().values()


@pytest.mark.django_db
@pytest.mark.parametrize("small_disk", [4], indirect=True)
def test_no_room_for_renditions(
    small_disk: SmallDisk, album: Album, filled: dict[str, Any], settings: Any, dice: random.Random
) -> None:
    settings.THUMBNAIL_DIR = small_disk.folder / "renditions"
    album.scan()
    for _ in range(leases.MOST_LOST_LEASES + 1):
        small_disk.fill(leave=dice.randrange(0, 12_000))
        with pytest.raises(RenditionsNotWritten, match=r"No space left on device.*THUMBNAIL_DIR"):
            album.process()
        _untouched_and_free()
        assert not list(Path(settings.THUMBNAIL_DIR).rglob("*.tmp"))
        small_disk.clear()
    album.process()
    assert differences(database_facts(), filled) == []
    assert verify.verify().findings == []


@pytest.mark.django_db
def test_a_quota_that_ends_in_the_middle_of_a_write(
    album: Album, filled: dict[str, Any], settings: Any, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without root: writing itself fails, at any byte."""
    settings.THUMBNAIL_DIR = album.folder.parent / "quota"
    real = Path.open
    quota = dice.randrange(2_000, 60_000)

    def limited(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        stream = real(path, mode, *args, **options)
        if Path(settings.THUMBNAIL_DIR) in path.parents and "x" in mode:
            _limit(stream)
        return stream

    def _limit(stream: Any) -> None:
        class Limited:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *error: object) -> None:
                stream.close()

            def write(self, data: bytes) -> int:
                nonlocal quota
                stream.raw.write(data[:quota])
                if len(data) > quota:
                    raise OSError(28, "No space left on device")
                quota -= len(data)
                return len(data)

        limits.append(Limited())

    limits: list[Any] = []

    def opened(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        stream = limited(path, mode, *args, **options)
        return limits.pop() if limits else stream

    album.scan()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        for _ in range(leases.MOST_LOST_LEASES + 1):
            with pytest.raises(RenditionsNotWritten, match="No space left on device"):
                album.process()
            _untouched_and_free()
            assert not list(Path(settings.THUMBNAIL_DIR).rglob("*.tmp"))
            quota = dice.randrange(0, 10_000)
    album.process()
    assert differences(database_facts(), filled) == []
    assert verify.verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_a_database_that_can_write_no_more(
    album: Album, engines: Engines, filled: dict[str, Any], dice: random.Random
) -> None:
    """The stub: any writing statement may fail as PostgreSQL's do when its disk is full."""
    album.scan()
    writes = 0

    def full(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        nonlocal writes
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and "leased_by" not in sql.split("WHERE")[0]:
            writes += 1
            if dice.random() < 0.2:
                raise OperationalError("could not extend file: No space left on device")
        return execute(sql, params, many, context)

    broke_off = 0
    for _ in range(15):
        with connection.execute_wrapper(full):
            try:
                album.process()
            except OperationalError:
                broke_off += 1
        _untouched_and_free()
    assert broke_off
    assert writes
    album.take_in()
    assert differences(database_facts(), filled) == []
    assert verify.verify().findings == []


@pytest.mark.parametrize("small_disk", [220], indirect=True)
def test_the_disk_of_the_real_database_is_full(
    small_disk: SmallDisk, album: Album, dice: random.Random
) -> None:
    """PostgreSQL panics, and cannot even start again until there is room."""
    for number in range(10):
        album.put(f"{number:02d}.jpg", number)
    before = digests(album.folder)
    installation = Installation(small_disk.folder / "data", {"BATCH_SIZE": "2"})
    try:
        installation.manage("setup_library")
        installation.manage("scan_library", str(album.folder))
        for _ in range(2):
            small_disk.fill(leave=dice.randrange(0, 16_000))
            done = subprocess.run(
                installation.command("process"),
                env=installation.environment,
                capture_output=True,
                timeout=200,
            )
            assert done.returncode != 0
            assert b"No space left on device" in done.stderr, done.stderr.decode()
            small_disk.clear()
        installation.manage("process")
        verdict = installation.json("verify_library", "--originals")
        assert verdict["findings"] == []
        assert verdict["counts"]["finished"] == verdict["counts"]["photos"] == 10
        assert verdict["counts"]["failed"] == 0
        assert digests(album.folder) == before
    finally:
        installation.remove()
