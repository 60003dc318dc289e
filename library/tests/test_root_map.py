"""The same originals under another path: every opening and every scan goes through ROOT_MAP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from library.storage import here, in_the_library


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/volume1/photos", b"/mnt/nas"),
        (b"/volume1/photos/2024/a.jpg", b"/mnt/nas/2024/a.jpg"),
        (b"/volume1/photos/private/b.jpg", b"/secret/b.jpg"),
        (b"/volume1/photos-old/c.jpg", b"/volume1/photos-old/c.jpg"),
        (b"/volume1/photos/\xff.jpg", b"/mnt/nas/\xff.jpg"),
        (b"/other", b"/other"),
    ],
)
def test_the_longest_folder_that_fits_counts(settings: Any, path: bytes, expected: bytes) -> None:
    settings.ROOT_MAP = ((b"/volume1/photos", b"/mnt/nas"), (b"/volume1/photos/private", b"/secret"))
    assert here(path) == expected
    assert in_the_library(expected) == path


def test_a_whole_disk_can_be_mapped(settings: Any, tmp_path: Path) -> None:
    settings.ROOT_MAP = ((b"/", b"/mnt/disk"),)
    assert here(b"/photos/a.jpg") == b"/mnt/disk/photos/a.jpg"
    assert in_the_library(b"/mnt/disk/photos/a.jpg") == b"/photos/a.jpg"


def test_without_a_map_nothing_changes(settings: Any) -> None:
    settings.ROOT_MAP = ()
    assert here(b"/a") == in_the_library(b"/a") == b"/a"
