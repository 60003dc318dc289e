"""The list of tags: what is shipped, what a file may hold, and what is said about a bad one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from vision.errors import EngineUnavailable
from vision.taggers.tag_list import EVERYDAY, read_tag_list

#: Singular words that end like a plural.
_SINGULAR = ("ss", "us", "is", "os", "chest of drawers", "table of numbers")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tags.txt"


def test_the_shipped_list_is_long_lower_case_singular_and_without_repetition() -> None:
    lines = EVERYDAY.read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    tags = read_tag_list("everyday")
    assert 600 <= len(tags) == len(entries) <= 1000
    assert sum(line.startswith("# --- ") for line in lines) >= 15
    for tag, phrase in tags.items():
        assert re.fullmatch(r"[a-z][a-z'\- ]*[a-z]", tag), tag
        assert len(tag) <= 30, tag
        assert phrase == phrase.lower(), tag
        # What has no singular says how it is put: "a scissors" would be said otherwise.
        assert phrase or not tag.endswith("s") or tag.endswith(_SINGULAR), tag
    plurals = {tag for tag in tags if tag.endswith("s") and tag.removesuffix("s") in tags}
    assert plurals <= {"glasses"}


def test_none_is_an_empty_list() -> None:
    assert not read_tag_list("none")


def test_a_file_has_tags_phrases_and_comments(file: Path) -> None:
    file.write_bytes("\ufeff# ours\r\nOma\r\n\nopen  fire = an open  fire # hot\n雪\nOMA\nc#\n".encode())
    assert dict(read_tag_list(str(file))) == {"Oma": "", "open fire": "an open fire", "雪": "", "c#": ""}


def test_a_changed_file_is_read_again(file: Path) -> None:
    file.write_text("owl\n")
    os.utime(file, ns=(1, 1))
    assert list(read_tag_list(str(file))) == ["owl"]
    file.write_text("cat\n")
    os.utime(file, ns=(2, 2))
    assert list(read_tag_list(str(file))) == ["cat"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"owl\n\xff\xfe\n", "line 2: is not UTF-8"),
        (b"owl\n\ncat =\n", "line 3: there is no phrase after '='"),
        (b"= a cat\n", "line 1: there is no tag before '='"),
        (b"x" * 101, "line 1: a tag has at most 100 characters, this has 101"),
        (b"owl\nsn\x00ow\n", "line 2: contains a control character"),
        (b"owl\ncat = a cat\nCat = my cat\n", "line 3: 'Cat' stands in the list before"),
        (b"# nothing\n\n", "is empty"),
        (b"\n".join(b"tag%d" % number for number in range(20_001)), "more than 20000 tags"),
    ],
)
def test_a_bad_file_is_named_with_its_line(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    with pytest.raises(EngineUnavailable) as caught:
        read_tag_list(str(file))
    assert str(file) in caught.value.reason
    assert reason in caught.value.reason
    assert "TAG_LIST" in caught.value.remedy


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(EngineUnavailable, match=str(path)):
            read_tag_list(str(path))
