"""What a walk finds, what it leaves out, and that nothing stops it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.scanner import FoundFile, ScanRules, Skipped, walk
from photos_project.env import DEFAULT_EXCLUDED_FOLDERS

RULES = ScanRules(
    extensions=frozenset({"jpg", "heic", "dng"}),
    excluded_folders=frozenset(name.casefold() for name in DEFAULT_EXCLUDED_FOLDERS),
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "top"
    folder.mkdir()
    return folder


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def look(top: Path, rules: ScanRules = RULES, subfolder: bytes = b"") -> list[FoundFile | Skipped]:
    return list(walk(os.fsencode(top), rules, subfolder))


def found(top: Path, rules: ScanRules = RULES, subfolder: bytes = b"") -> list[bytes]:
    return [item.relative_path for item in look(top, rules, subfolder) if isinstance(item, FoundFile)]


def skipped(top: Path, rules: ScanRules = RULES) -> dict[bytes, str]:
    return {item.relative_path: item.reason for item in look(top, rules) if isinstance(item, Skipped)}


def closed_to_us(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if the folder had no read permission; tests may run as root, for whom every folder is open."""
    real: Callable[[Any], Iterator[Any]] = os.scandir

    def scandir(path: Any) -> Iterator[Any]:
        if os.fsencode(path) == os.fsencode(folder):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_files_are_found_in_all_folders_with_size_and_time(top: Path) -> None:
    touch(top / "b" / "deep" / "er" / "three.HEIC", b"123")
    touch(top / "a" / "two.jpg")
    os.utime(touch(top / "one.jpg", b"12"), ns=(5, 7_000_000_001))
    items = [item for item in look(top) if isinstance(item, FoundFile)]
    assert items[0] == FoundFile(b"one.jpg", 2, 7_000_000_001)
    assert [item.relative_path for item in items] == [b"one.jpg", b"a/two.jpg", b"b/deep/er/three.HEIC"]


def test_the_order_is_stable(top: Path) -> None:
    for name in ("c", "a", "b"):
        touch(top / name / "x.jpg")
    assert found(top) == found(top) == [b"a/x.jpg", b"b/x.jpg", b"c/x.jpg"]


def test_a_subfolder_is_walked_alone_under_the_names_of_the_root(top: Path) -> None:
    touch(top / "one.jpg")
    touch(top / "a" / "b" / "two.jpg")
    assert found(top, subfolder=b"a") == [b"a/b/two.jpg"]


def test_hidden_and_excluded_folders_are_left_out_with_a_word(top: Path) -> None:
    touch(top / ".hidden" / "one.jpg")
    touch(top / "@eaDir" / "two.jpg")
    touch(top / "@EADIR2" / "three.jpg")
    touch(top / ".four.jpg")
    assert found(top) == [b"@EADIR2/three.jpg"]
    assert skipped(top) == {
        b".hidden": "hidden folder",
        b"@eaDir": "excluded folder",
        b".four.jpg": "hidden file",
    }


def test_excluded_names_are_compared_without_case(top: Path) -> None:
    touch(top / "@EADIR" / "two.jpg")
    assert skipped(top) == {b"@EADIR": "excluded folder"}


def test_hidden_files_and_folders_are_taken_when_wanted(top: Path) -> None:
    touch(top / ".hidden" / ".one.jpg")
    assert found(top, replace(RULES, include_hidden=True)) == [b".hidden/.one.jpg"]


def test_a_loop_of_links_ends(top: Path) -> None:
    touch(top / "a" / "one.jpg")
    (top / "a" / "up").symlink_to(top)
    (top / "a" / "self").symlink_to(top / "a")
    assert found(top) == [b"a/one.jpg"]
    assert skipped(top) == dict.fromkeys((b"a/up", b"a/self"), "link to a folder that was walked already")


def test_a_link_that_leads_to_itself_is_survived(top: Path) -> None:
    (top / "one.jpg").symlink_to(top / "one.jpg")
    (top / "two.jpg").write_bytes(b"x")
    assert found(top) == [b"two.jpg"]
    assert "cannot be looked at" in skipped(top)[b"one.jpg"]


def test_a_linked_folder_outside_is_walked_once(top: Path, tmp_path: Path) -> None:
    touch(tmp_path / "outside" / "one.jpg")
    (top / "first").symlink_to(tmp_path / "outside")
    (top / "second").symlink_to(tmp_path / "outside")
    assert found(top) == [b"first/one.jpg"]
    assert skipped(top) == {b"second": "link to a folder that was walked already"}


def test_a_folder_is_found_under_its_own_name_whatever_links_lead_there(top: Path) -> None:
    """Also when the link lies in a folder that is walked earlier."""
    touch(top / "b" / "deep" / "one.jpg")
    (top / "a").mkdir()
    (top / "a" / "link").symlink_to(top / "b" / "deep")
    assert found(top) == [b"b/deep/one.jpg"]
    assert skipped(top) == {b"a/link": "link to a folder that was walked already"}


def test_a_linked_file_is_a_file(top: Path, tmp_path: Path) -> None:
    (top / "one.jpg").symlink_to(touch(tmp_path / "outside.jpg", b"123"))
    assert look(top)[0].size == 3  # type: ignore[union-attr]


def test_a_dangling_link_is_reported(top: Path) -> None:
    (top / "one.jpg").symlink_to(top / "nowhere")
    assert skipped(top) == {b"one.jpg": "cannot be looked at: No such file or directory"}


def test_a_named_pipe_does_not_hang_the_walk(top: Path) -> None:
    os.mkfifo(top / "pipe.jpg")
    assert skipped(top) == {b"pipe.jpg": "not a regular file"}


def test_names_that_are_not_utf8_keep_their_bytes(top: Path) -> None:
    path = os.path.join(os.fsencode(top), b"caf\xe9", b"\xff\xfe.jpg")
    os.mkdir(os.path.dirname(path))
    Path(os.fsdecode(path)).write_bytes(b"x")
    assert found(top) == [b"caf\xe9/\xff\xfe.jpg"]


def test_names_with_newlines_are_names(top: Path) -> None:
    touch(top / "two\nlines" / "a\tb\r\n.jpg")
    assert found(top) == [b"two\nlines/a\tb\r\n.jpg"]


def test_empty_files_are_reported(top: Path) -> None:
    touch(top / "one.jpg", b"")
    assert skipped(top) == {b"one.jpg": "empty file"}


def test_too_large_files_are_reported(top: Path) -> None:
    touch(top / "one.jpg", b"12345")
    touch(top / "two.jpg", b"1234")
    rules = replace(RULES, max_file_size=4)
    assert found(top, rules) == [b"two.jpg"]
    assert skipped(top, rules) == {b"one.jpg": "larger than MAX_FILE_SIZE (4 bytes)"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("clip.MOV", "not a supported picture: video (.mov)"),
        ("logo.svg", "not a supported picture: drawing (.svg)"),
        ("IMG.jxl", "not a supported picture: unsupported picture (.jxl)"),
        ("scan.png", "not listed in SUPPORTED_FORMATS (.png)"),
        ("thing.qqq", "not a picture (.qqq)"),
        ("thing", "not a picture (no extension)"),
    ],
)
def test_other_kinds_of_files_are_left_out_with_a_reason(top: Path, name: str, reason: str) -> None:
    touch(top / name)
    assert skipped(top) == {name.encode(): reason}


@pytest.mark.parametrize("name", ["IMG_1.xmp", "IMG_1.AAE", "notes.txt", "Thumbs.db", ".DS_Store", "x.json"])
def test_companions_are_passed_over_in_silence(top: Path, name: str) -> None:
    touch(top / name)
    assert look(top) == []


def test_an_unreadable_folder_is_reported_and_its_neighbours_are_walked(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(top / "a" / "one.jpg")
    touch(top / "b" / "two.jpg")
    closed_to_us(monkeypatch, top / "a")
    items = look(top)
    assert items == [
        Skipped(b"a", "folder cannot be read: Permission denied", folder=True, unseen=True),
        *[item for item in items if isinstance(item, FoundFile)],
    ]
    assert found(top) == [b"b/two.jpg"]


def test_what_cannot_be_looked_at_is_not_taken_for_gone(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may be listed but not entered: its names are there, the files behind them unknown."""
    touch(top / "one.jpg")
    monkeypatch.setattr("ingest.scanner._entries", lambda path: [_Closed(b"one.jpg"), _Closed(b"sub")])
    assert look(top) == [
        Skipped(b"one.jpg", "cannot be looked at: Permission denied", unseen=True),
        Skipped(b"sub", "cannot be looked at: Permission denied", unseen=True),
    ]


class _Closed:
    """A directory entry behind which nothing can be seen."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def is_symlink(self) -> bool:
        return False

    def is_dir(self) -> bool:
        return False

    def stat(self) -> os.stat_result:
        raise PermissionError(13, "Permission denied")


def test_our_own_folders_inside_a_root_are_not_walked(top: Path) -> None:
    touch(top / "data" / "renditions" / "one.jpg")
    touch(top / "two.jpg")
    (top / "link").symlink_to(top / "data")
    rules = replace(RULES, forbidden=(top / "data", top / "not-there"))
    assert found(top, rules) == [b"two.jpg"]


def test_a_top_folder_that_is_missing_raises(top: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look(top / "nowhere")


def test_a_top_folder_that_cannot_be_read_raises(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_to_us(monkeypatch, top)
    with pytest.raises(PermissionError):
        look(top)
