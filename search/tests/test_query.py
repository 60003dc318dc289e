"""What is typed is understood, or at least survived."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.query import Clause, Field, Term, parse, period
from search.text import fold, name_words, word_spans, words

PIECES = [
    "tag:",
    '"',
    "-",
    "or",
    "cat",
    "B:c",
    "year:2019",
    "日本",
    " ",
    "½",
    "é",
    "|",
    "before:x",
    'tag:"q r"',
    "\0",
]
typed = st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@settings(deadline=None)
@given(typed)
def test_every_text_is_a_query_that_prints_back_to_itself(text):
    query = parse(text)
    assert parse(str(query)) == query
    assert str(parse(str(query))) == str(query)


@settings(deadline=None)
@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)
    assert words(" ".join(words(text))) == words(text)
    assert all(text[start:end] for _, start, end in word_spans(text))


def test_words_phrases_and_exclusions():
    assert parse('sunset "vet bill" -blurry').clauses == (
        Clause((Term("sunset"),)),
        Clause((Term("vet bill", quoted=True),)),
        Clause((Term("blurry"),), negated=True),
    )


def test_or_joins_its_neighbours_before_anything_else():
    first, second, third = parse("big cat or dog outside").clauses[:3]
    assert first == Clause((Term("big"),))
    assert second == Clause((Term("cat"), Term("dog")))
    assert third == Clause((Term("outside"),))


@pytest.mark.parametrize("text", ["or", "or cat", "cat or", "cat or or", "cat | ", "-cat or"])
def test_a_dangling_or_is_no_word(text):
    assert all(len(clause.alternatives) == 1 for clause in parse(text).clauses)
    assert "or" not in [
        word for clause in parse(text).clauses for atom in clause.alternatives for word in atom.words
    ]


def test_fields_take_plain_and_quoted_values():
    query = parse("TAG:cat category:“street food” -person:anna")
    assert [clause.alternatives[0] for clause in query.clauses] == [
        Field("tag", "cat"),
        Field("category", "street food"),
        Field("person", "anna"),
    ]
    assert query.clauses[2].negated
    assert str(query) == 'tag:cat category:"street food" -person:anna'


def test_an_unknown_field_becomes_words_with_a_hint():
    query = parse("colour:red")
    assert query.clauses == (Clause((Term("colour:red"),)),)
    assert query.clauses[0].alternatives[0].words == ["colour", "red"]
    assert "“colour:” is not a field" in query.hints[0]


def test_a_bad_date_becomes_words_with_a_hint():
    assert "before:2019-05" in parse("before:2019-13-40").hints[0]


def test_a_chip_can_be_taken_away():
    query = parse("cat tag:pet year:2019")
    assert str(query.without(query.clauses[1])) == "cat year:2019"


def test_the_description_is_the_free_text_alone():
    assert parse('cat or dog "on a sofa" tag:pet -blurry').description == "cat or dog on a sofa"


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("2019", (2019, 1, 1), (2020, 1, 1)),
        ("2019-12", (2019, 12, 1), (2020, 1, 1)),
        ("2020-2-29", (2020, 2, 29), (2020, 3, 1)),
    ],
)
def test_periods(value, start, end):
    assert period(value) == (datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))


def test_words_are_folded_alike_whatever_the_script():
    assert words("Café STRASSE straße Ørsted ﬁne") == ["cafe", "strasse", "strasse", "orsted", "fine"]
    assert words("日本 カメラ") == ["日", "本", "カ", "メ", "ラ"]
    assert words("हिन्दी") == ["हिन्दी"]
    assert words("a\0b\ud800") == ["ab"]


def test_file_names_are_taken_apart():
    assert name_words("IMG_vet-receipt2019") == [["img", "vet", "receipt", "2019"], ["receipt2019"]]
    assert name_words("ÜberfahrtNach Öland") == [["uberfahrt", "nach", "oland"], ["uberfahrtnach"]]


def test_word_spans_point_into_the_text():
    text = "Ein Café in 日本"
    assert [(word, text[start:end]) for word, start, end in word_spans(text)] == [
        ("ein", "Ein"),
        ("cafe", "Café"),
        ("in", "in"),
        ("日", "日"),
        ("本", "本"),
    ]
