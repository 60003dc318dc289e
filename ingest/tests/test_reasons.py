"""Reasons as classes: numbers, paths and identifiers do not split them, words do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.reasons import LONGEST, normalise


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (
            "UnidentifiedImageError: cannot identify image file '/photos/2019/IMG_0001.JPG'",
            "UnidentifiedImageError: cannot identify image file '/media/other disk/it is.png'",
            "UnidentifiedImageError: cannot identify image file <path>",
        ),
        (
            "OSError: image file is truncated (12 bytes not processed)",
            "OSError: image file is truncated (4,096 bytes not processed)",
            "OSError: image file is truncated (<number> bytes not processed)",
        ),
        (
            "[Errno 2] No such file: '/data/preview/ab/ab12.jpg'",
            "[Errno 2]  No such file:\n 'C:\\photos\\x.jpg'",
            "[Errno <number>] No such file: <path>",
        ),
        ("photo 17 of 3", "photo 1e5 of -4.5", "photo <number> of <number>"),
        ("object at 0x7f00aa12", "object at 0x1", "object at <id>"),
        (
            "no row 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "no row 00000000-4f89-11d3-9a0c-0305e82c3301",
            "no row <id>",
        ),
        ("lost 9f86d081884c7d65", "lost 2c26b46b68ffc68f", "lost <id>"),
        ("shapes (32, 3, 224) differ", "shapes (1, 2) differ", "shapes (<number>) differ"),
        ("2048x1536 is too large", "10x20 is too large", "<number> is too large"),
        ("at 2026-11-20T17:30:00 it broke", "at 2020-01-01T00:00:00 it broke", "at <number> it broke"),
        (
            "see https://example.org/a?b=1 for more",
            "see http://example.net for more",
            "see <url> for more",
        ),
        (
            "can't read 12 of 'a/b.jpg', it's broken",
            "can't read 7 of 'c d.jpg', it's broken",
            "can't read <number> of <path>, it's broken",
        ),
        ("a.jpg.", "holiday-2.tiff.", "<path>."),
        ("IMG_0001.jpg is cut short", "2019/b-7.HEIC is cut short", "<path> is cut short"),
    ],
)
def test_what_differs_between_photos_does_not_split(one: str, other: str, reason: str) -> None:
    assert normalise(one) == reason
    assert normalise(other) == reason


@pytest.mark.parametrize(
    "error",
    [
        "AttributeError: 'NoneType' object has no attribute 'mean'",
        "TypeError: expected float32, got uint8",
        "RuntimeError: CUDA out of memory",
        "OSError: broken data stream when reading image file",
        "I/O error",
        "",
    ],
)
def test_words_stay(error: str) -> None:
    assert normalise(error) == error


def test_two_faults_stay_two() -> None:
    assert normalise("expected float32") != normalise("expected float16")
    assert normalise("no attribute 'a'") != normalise("no attribute 'b'")


def test_a_reason_is_one_short_line() -> None:
    reason = normalise("word\n\tword  " * 10_000)
    assert len(reason) <= LONGEST
    assert reason.endswith("…")
    assert "\n" not in reason


@given(st.text(max_size=400))
def test_any_text_becomes_one_line_that_fits(error: str) -> None:
    reason = normalise(error)
    assert len(reason) <= LONGEST
    assert "\n" not in reason


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_a_number_never_splits(one: int, other: int) -> None:
    assert normalise(f"page {one} of the file") == normalise(f"page {other} of the file")


@pytest.mark.parametrize("unit", ["/", "a/", "'", "1,", "0", "a.", "-", "\\", "ab12", "x/'", "1 1,"])
def test_no_message_takes_long(unit: str) -> None:
    started = time.perf_counter()
    normalise(unit * 100_000)
    assert time.perf_counter() - started < 0.5
