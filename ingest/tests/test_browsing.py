"""The browser of folders shows what lies inside roots, and nothing a request says leads out of them."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from ingest import browsing
from ingest.browsing import NoSuchFolder, Place, check, look, place_of
from ingest.roots import register_folder
from library.models import Root

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for folder in ("photos/2019/Italy", "photos/2020", "photos/.hidden", "photos/@eaDir", "secret/inner"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    return register_folder(str(tmp_path / "photos")).root


def token(root: Root, path: bytes) -> str:
    return f"{root.pk}:{base64.urlsafe_b64encode(path).decode()}"


def names(root: Root, path: bytes = b"") -> list[str]:
    return [place.name for place in look(Place(root, path)).folders]


def test_only_folders_that_a_scan_would_walk_are_shown(root: Root, settings: Any) -> None:
    settings.EXCLUDED_FOLDERS = ("@eaDir",)
    assert names(root) == ["2019", "2020"]
    assert names(root, b"2019") == ["Italy"]
    assert names(root, b"2019/Italy") == []


def test_a_token_says_root_and_path_byte_for_byte(root: Root) -> None:
    for path in (b"", b"2019/Italy", b"caf\xe9/\xff", "Übung ?&#/x".encode()):
        place = place_of(Place(root, path).token)
        assert (place.root, place.path) == (root, path)


@pytest.mark.parametrize(
    "path",
    [
        *(b"..", b"../secret", b"2019/../../secret", b"2019/..", b".", b"./2019", b"2019//Italy", b"/etc"),
        *(b"/", b"2019/", b"\0", b"2019\0", b"2019/\0/../..", b"..\0"),
    ],
)
def test_paths_that_lead_elsewhere_are_no_places(root: Root, path: bytes) -> None:
    with pytest.raises(NoSuchFolder):
        place_of(token(root, path))


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "x", "1", "-1:", "١:", "999999:", "99999999999999999999:", "1:Li4", "1:..", "1:%2e%2e"),
        *("1:Li4vc2VjcmV0", "1:\N{FULLWIDTH FULL STOP}", "1:a", "1:a b", "1:\0", "1:Li4=junk"),
    ],
)
def test_tokens_that_nobody_made_are_refused(root: Root, text: str) -> None:
    with pytest.raises(NoSuchFolder):
        look(place_of(text.replace("1:", f"{root.pk}:")))


@pytest.mark.parametrize("encoded", ["..%2fsecret", "%2e%2e/secret", "..%c0%afsecret", "..\\secret"])
def test_other_spellings_of_the_way_up_are_names_that_are_not_there(root: Root, encoded: str) -> None:
    with pytest.raises(NoSuchFolder):
        look(place_of(token(root, encoded.encode("latin-1"))))


@pytest.mark.parametrize("where", ["secret", "secret/inner", ".", "/etc"])
def test_a_link_is_neither_shown_nor_followed(root: Root, tmp_path: Path, where: str) -> None:
    (tmp_path / "photos" / "2019" / "out").symlink_to(where if where == "/etc" else tmp_path / where)
    assert names(root, b"2019") == ["Italy"]
    for path in (b"2019/out", b"2019/out/inner", b"2019/out/photos"):
        with pytest.raises(NoSuchFolder):
            look(place_of(token(root, path)))
        with pytest.raises(NoSuchFolder):
            check(place_of(token(root, path)))


def test_a_folder_that_becomes_a_link_between_two_looks_is_not_followed(root: Root, tmp_path: Path) -> None:
    (place,) = [place for place in look(Place(root)).folders if place.name == "2020"]
    os.rmdir(tmp_path / "photos" / "2020")  # noqa: PTH106
    (tmp_path / "photos" / "2020").symlink_to(tmp_path / "secret")
    with pytest.raises(NoSuchFolder):
        look(place)


def test_files_gone_folders_and_closed_ones_are_told(root: Root, tmp_path: Path) -> None:
    for path, words in ((b"a.jpg", "Not a directory"), (b"2021", "No such file"), (b".hidden", "left out")):
        with pytest.raises(NoSuchFolder, match=words):
            look(Place(root, path))
    os.rename(tmp_path / "photos", tmp_path / "away")  # noqa: PTH104
    with pytest.raises(NoSuchFolder, match="Is the disk mounted"):
        look(Place(root))


def test_names_that_are_not_utf8_can_be_opened(root: Root, tmp_path: Path) -> None:
    os.makedirs(os.fsencode(tmp_path / "photos") + b"/caf\xe9/inner")  # noqa: PTH103
    (place,) = [place for place in look(Place(root)).folders if place.path == b"caf\xe9"]
    assert [inner.path for inner in look(place_of(place.token)).folders] == [b"caf\xe9/inner"]


def test_many_folders_come_page_by_page(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "MOST_FOLDERS", 1)
    first = look(Place(root))
    second = look(Place(root), after=first.following)
    assert [place.name for place in (*first.folders, *second.folders)] == ["2019", "2020"]


def test_our_own_folders_are_not_shown(root: Root, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "photos" / "2020"
    assert "2020" not in names(root)
