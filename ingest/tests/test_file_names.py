"""Names from a browser become names on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.file_names import MOST_BYTES, numbered, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("IMG_1.jpg", "IMG_1.jpg"),
        ("Grüße aus Köln.JPG", "Grüße aus Köln.JPG"),
        ("Gru\u0308ße.jpg", "Grüße.jpg"),
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\fake\\one.jpg", "one.jpg"),
        ("a\0b\n.jpg", "ab.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        (".hidden.jpg", "hidden.jpg"),
        ("...", "photo"),
        ("", "photo"),
        ("/", "photo"),
        (".jpg", "jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("nul", "_nul"),
        ('a<b>:"|?*.jpg', "a_b______.jpg"),
        ("one.jpg. . ", "one.jpg"),
        ("lone\udc80.jpg", "lone.jpg"),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_names_are_cut_between_characters_and_keep_their_extension() -> None:
    name = safe_name("日" * 300 + ".jpeg")
    assert len(name.encode()) <= MOST_BYTES
    assert name.endswith("日.jpeg")


@given(st.text(max_size=400))
def test_any_text_is_one_visible_name(text: str) -> None:
    name = safe_name(text)
    assert name and len(name.encode()) <= MOST_BYTES + 20
    assert os.path.basename(name) == name == Path(name).name
    assert not name.startswith(".") and "\0" not in name


def test_numbers_stand_before_the_extension() -> None:
    assert [numbered("a.b.jpg", n) for n in (1, 2)] == ["a.b.jpg", "a.b-2.jpg"]
    assert numbered("a", 3) == "a-3"
