"""Which folders are looked at after which events."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.changes import Pending, area_of, coalesce, common_folder
from ingest.scanner import Area, ScanRules

RULES = ScanRules(extensions=frozenset({"jpg"}), excluded_folders=frozenset({"@eadir"}))


def area(top: Path, name: str) -> Area | None:
    return area_of(os.fsencode(top), os.fsencode(top / name), RULES)


def test_a_picture_or_sidecar_leads_to_its_folder_alone(tmp_path: Path) -> None:
    assert area(tmp_path, "a/b/one.JPG") == Area(b"a/b", deep=False)
    assert area(tmp_path, "one.jpg") == Area(b"", deep=False)
    assert area(tmp_path, "a/one.jpg.xmp") == Area(b"a", deep=False)


def test_a_folder_leads_to_everything_below_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "trip.jpg").mkdir(parents=True)
    assert area(tmp_path, "a") == Area(b"a")
    assert area(tmp_path, "a/trip.jpg") == Area(b"a/trip.jpg")
    assert area(tmp_path, "gone") == Area(b"gone")


@pytest.mark.parametrize("name", ["notes.txt", "@eaDir/one.jpg", ".git/one.jpg", "gone.mov", ".gone", ""])
def test_what_is_nothing_to_us_leads_nowhere(tmp_path: Path, name: str) -> None:
    assert area(tmp_path, name) is None


def test_a_file_of_another_kind_that_is_there_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x.part").touch()
    assert area(tmp_path, "x.part") is None


def test_areas_inside_others_are_left_out() -> None:
    areas = {Area(b"a"), Area(b"a/b"), Area(b"a", deep=False), Area(b"ab", deep=False)}
    assert coalesce(areas) == (Area(b"a"), Area(b"ab", deep=False))


def test_very_many_folders_become_the_folder_around_them() -> None:
    areas = {Area(b"x/%d" % n, deep=False) for n in range(100)} | {Area(b"y", deep=False)}
    assert coalesce(areas, 10) == (Area(b"x"), Area(b"y", deep=False))
    assert coalesce({Area(b"%d" % n) for n in range(100)}, 10) == (Area(b""),)


def test_the_common_folder() -> None:
    assert common_folder([Area(b"a/b"), Area(b"a/bc/d")]) == b"a"
    assert common_folder([Area(b"a/b")]) == b"a/b"
    assert common_folder([Area(b""), Area(b"a")]) == b""


def test_folders_are_looked_at_when_quiet_or_at_last() -> None:
    pending = Pending(first=0.0, last=9.0)
    assert not pending.is_due(10.0, quiet=3, longest=30)
    assert pending.is_due(12.0, quiet=3, longest=30)
    assert Pending(first=0.0, last=29.9).is_due(30.0, quiet=3, longest=30)
