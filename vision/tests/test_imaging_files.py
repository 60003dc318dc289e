from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from vision.errors import ImageRejected
from vision.imaging import files
from vision.imaging.files import OriginalChanged, read_original, write_atomic


def test_reads_and_hashes_in_one_go(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    original = read_original(path)
    assert original.data == content
    assert original.sha256 == hashlib.sha256(content).hexdigest()
    assert (original.size, original.mtime_ns) == (3_000_000, 1_600_000_000_123_456_789)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as stream:
        stream.write(b"x")
    assert read_original(path).data == b"x"


def test_an_original_is_only_ever_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    path.chmod(0o444)
    before = path.stat()
    read_original(path)
    after = path.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns, before.st_size) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_size,
    )


@pytest.mark.parametrize("change", [b"longer than before", b""])
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"some content")
    read = os.read

    def read_late(descriptor: int, size: int) -> bytes:
        path.write_bytes(change)
        return read(descriptor, size)

    monkeypatch.setattr(files.os, "read", read_late)
    with pytest.raises(OriginalChanged, match="12 bytes before"):
        read_original(path)


def test_what_is_no_file_or_too_large(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(ImageRejected, match="not a regular file"):
            read_original(path)
    (tmp_path / "big.jpg").write_bytes(b"x" * 11)
    with pytest.raises(ImageRejected, match="11 bytes, more than the limit of 10"):
        read_original(tmp_path / "big.jpg", max_bytes=10)
    with pytest.raises(FileNotFoundError):
        read_original(tmp_path / "absent.jpg")


def test_atomic_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "ab" / "cd" / "x.jpg"
    write_atomic(path, b"one")
    write_atomic(path, b"two", fsync=True)
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["x.jpg"]


def test_atomic_write_leaves_nothing_behind_on_failure(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "folder", b"content")
    assert os.listdir(tmp_path) == ["folder"]
