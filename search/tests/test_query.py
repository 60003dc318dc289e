"""What is typed is understood, or at least survived."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.query import MAX_LENGTH, Clause, Field, Term, parse, period
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
    "(",
    ")",
    "-(",
    " or ",
    "size:>5mb",
    'x:"a(b"',
]
typed = st.text() | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


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
    query = parse("colours:red shape:round")
    assert query.clauses == (Clause((Term("colours:red"),)), Clause((Term("shape:round"),)))
    assert query.clauses[0].alternatives[0].words == ["colours", "red"]
    assert query.hints[0].startswith(
        "“colours:” is not a field; it was searched as words. Did you mean “color:”"
    )
    assert "Fields are tag, category" in query.hints[1]


@pytest.mark.parametrize(
    ("text", "printed", "hint"),
    [
        ("(cat sofa) or dog", "(cat sofa) or dog", ""),
        ("((cat)) (dog)", "cat dog", ""),
        ("a or (b or c)", "a or b or c", ""),
        ("cat or -dog", "cat or (-dog)", ""),
        ("-(cat or dog)", "-(cat or dog)", ""),
        ("-(cat sofa)", "-(cat sofa)", ""),
        ("-(-cat)", "cat", ""),
        ("tag:pet (year:2019 or is:favourite)", "tag:pet year:2019 or is:favourite", ""),
        ("sunset(1)", "sunset 1", ""),
        ("(cat", "cat", "was not closed"),
        ("cat) dog", "cat dog", "without an opening one"),
        ("()", "", ""),
        ("(" * 400 + "cat", "cat", "8 deep"),
        ("-(" * 200 + "cat or dog" + ")" * 80, "cat or dog", "8 deep"),
    ],
)
def test_parentheses_hold_together_and_never_stand_in_the_way(text, printed, hint):
    query = parse(text)
    assert str(query) == printed
    assert (hint in " ".join(query.hints)) if hint else query.hints == ()


def test_groups_rank_or_filter():
    free, field, negated = (parse(text) for text in ("(big cat) or dog", "(tag:cat 2019) or dog", "-(a b)"))
    assert (free.filters, free.description) == ((), "big cat or dog")
    assert (field.free_text, field.description) == ((), "")
    assert negated.free_text == ()


@pytest.mark.parametrize(
    "text",
    [
        "rating:4", "rating:>=4", "rating:4+", "size:>5mb", "size:<500KB", "size:12mp", "faces:2+", "faces:0",
        "near:48.86,2.35,5", "near:-33.9,18.4", "is:favorite", "has:face", "color:#f80",
        "orientation:Portrait", "colour:Grey", "date:2019-06..2019-08", "year:2015..2019",
        'folder:"2019/trip (1)"', "lens:50mm", "show:duplicates", "format:heic", "place:paris",
    ],
)  # fmt: skip
def test_every_field_takes_its_values(text):
    query = parse(text)
    assert query.hints == ()
    assert isinstance(query.clauses[0].alternatives[0], Field)
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    "text",
    [
        "rating:6", "rating:x", "rating:>4+", "size:big", "size:5kg", "faces:1.5", "faces:-1", "near:paris",
        "near:91,0,1", "near:0,0,0", "is:nice", "has:cheese", "orientation:up", "color:nocolour", "color:#ff",
        "date:2019..2018", "date:2019-13", "year:x..y", "folder:/", "show:all", "before:2019..2020",
    ],
)  # fmt: skip
def test_what_cannot_be_a_value_becomes_words_with_a_hint(text):
    query = parse(text)
    assert isinstance(query.clauses[0].alternatives[0], Term)
    assert "write" in query.hints[0]


def test_a_text_whose_printed_form_would_be_too_long_loses_its_end():
    text = " | ".join("a" for _ in range(125))
    assert len(text) < MAX_LENGTH < len(text.replace("|", "or"))
    assert len(str(parse(text))) <= MAX_LENGTH
    assert parse(str(parse(text))) == parse(text)


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
