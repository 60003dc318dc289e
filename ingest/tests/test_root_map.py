"""A machine that sees the library's folders elsewhere scans and reads the same photos."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest.models import ScanSession
from ingest.roots import register_folder, scan
from ingest.tests.pictures import Album, states
from library.models import Photo, PhotoFile, Root
from library.storage import open_original

pytestmark = pytest.mark.django_db


def test_another_machine_scans_reads_and_opens_the_same_files(
    album: Album, tmp_path: Path, settings: Any
) -> None:
    album.put("2024/a.jpg", 1)
    album.put("b.jpg", 2)
    album.scan()
    known = bytes(Root.objects.get().path)
    elsewhere = tmp_path / "mnt" / "nas"
    shutil.copytree(album.folder, elsewhere)
    shutil.rmtree(album.folder)
    settings.ROOT_MAP = ((known, os.fsencode(elsewhere)),)

    target = register_folder(str(elsewhere / "2024"))
    assert (bytes(target.root.path), target.subfolder) == (known, b"2024")
    there = Album(elsewhere)
    session = there.scan()
    assert (session.status, session.unchanged, session.new) == (ScanSession.Status.FINISHED, 2, 0)
    there.read()
    assert set(states().values()) == {Photo.State.PROCESSING_OBJECTS}
    file, stream = open_original(there.photo("b.jpg"))
    with stream:
        assert stream.read() == (elsewhere / "b.jpg").read_bytes()
    assert bytes(file.root.path) == known
    assert PhotoFile.objects.count() == 2
    assert Root.objects.count() == 1


def test_a_folder_that_is_not_mounted_here_fails_under_its_path_here(album: Album, settings: Any) -> None:
    album.put("a.jpg", 1)
    target = register_folder(str(album.folder))
    settings.ROOT_MAP = ((bytes(target.root.path), b"/mnt/not mounted"),)
    session = scan(target)
    assert session.status == ScanSession.Status.FAILED
    assert session.message.startswith("/mnt/not mounted cannot be read")
