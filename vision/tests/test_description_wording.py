"""From what a model answers to what is stored: whole sentences, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.describers.wording import MOST_CHARACTERS, clean, first_sentence


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("  A cat\n\nsleeps on\ta sofa. ", "A cat sleeps on a sofa."),
        ("A cat on a sofa", "A cat on a sofa"),
        ('"A cat on a sofa."', "A cat on a sofa."),
        ('"Cafe" and "Bar" are written above the doors.', '"Cafe" and "Bar" are written above the doors.'),
        ("A\x00 cat\x1b[31m \u202eon\u202c a\ufffd sofa.", "A cat [31m on a sofa."),
        ("Ein Café\u0301.", "Ein Café\u0301."),
        ("Cafe\u0301 tables.", "Café tables."),
        ("A family 👨\u200d👩\u200d👧 on a beach.", "A family 👨\u200d👩\u200d👧 on a beach."),
        ("", ""),
        (" .!… 12 ", ""),
        ("!!!!!!!!!!!!!!!!!!!!!!!!", ""),
    ],
)
def test_a_finished_answer(answer: str, kept: str) -> None:
    assert clean(answer, finished=True) == kept


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("A cat sleeps. Behind it stands a la", "A cat sleeps."),
        ("A cat sleeps on a red sofa besi", "A cat sleeps on a red sofa…"),
        ("The front of St. Mark's at ni", "The front of St. Mark's at…"),
        ("It is 3.5 m long. The bo", "It is 3.5 m long."),
        ("猫がソファで寝ている。後ろに", "猫がソファで寝ている。"),
        ("Cat", "Cat…"),
        ("", ""),
    ],
)
def test_an_answer_that_was_cut_off_ends_with_its_last_sentence(answer: str, kept: str) -> None:
    assert clean(answer, finished=False) == kept


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("A dog runs. A dog runs. A dog runs. A dog", "A dog runs."),
        ("A dog runs. It is brown. A dog runs. It is brown.", "A dog runs. It is brown."),
        ("A man and a woman and a woman and a woman and a wom", "A man and a woman…"),
        ("A red, red, red, red, red, red", "A red…"),
        ("A park. Trees and trees and trees and trees and trees", "A park."),
        ("hahahahahahahahahahahaha", ""),
        ("A very very old tree.", "A very very old tree."),
    ],
)
def test_repetition_is_cut_off(answer: str, kept: str) -> None:
    assert clean(answer, finished=False) == kept


def test_a_very_long_answer_is_cut_at_a_sentence() -> None:
    long = " ".join(f"Number {number} stands there." for number in range(100))
    kept = clean(long, finished=True)
    assert MOST_CHARACTERS - 40 < len(kept) <= MOST_CHARACTERS
    assert kept.endswith("stands there.")


@given(st.text(max_size=300), st.booleans())
def test_whatever_comes_is_one_line_that_stays_as_it_is(answer: str, finished: bool) -> None:  # noqa: FBT001
    kept = clean(answer, finished=finished)
    assert "\0" not in kept and "\n" not in kept
    assert kept == kept.strip()
    assert len(kept) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A cat sleeps on a sofa. It is black.", "A cat sleeps on a sofa"),
        ("Is it a cat? Yes.", "Is it a cat?"),
        ("Dr. J. Smith stands in St. Ives. He waves.", "Dr. J. Smith stands in St. Ives"),
        ("No stop at all", "No stop at all"),
        ("猫が寝ている。犬もいる。", "猫が寝ている"),
        ("", ""),
        ("word " * 50 + ".", " ".join(["word"] * 31) + "…"),
    ],
)
def test_the_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence
