"""What the filters make of a query: pure text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import refine
from search.query import parse
from search.refine import FACETS, People, Period


def after(text, name, *values):
    return str(refine.choose(parse(text), FACETS[name], values))


def test_alternatives_are_joined_and_the_rest_stays():
    assert after("beach -cat", "category", "food") == "beach -cat category:food"
    assert after("category:food beach", "category", "food", "pets") == "beach category:food or category:pets"
    assert after("category:food or category:pets beach", "category") == "beach"
    assert after("category:food -category:pets", "category") == "-category:pets"


def test_the_same_choice_leaves_the_query_word_for_word():
    text = "category:food beach category:pets"
    assert after(text, "category", "pets", "food") == text


def test_what_narrows_is_a_clause_each():
    assert after("beach has:gps", "has", "gps", "faces") == "beach has:gps has:faces"


def test_clauses_with_other_things_in_them_are_left_alone():
    assert refine.chosen(parse("cat or category:pets"), FACETS["category"]) == ()
    assert after("cat or category:pets", "category", "food") == "cat or category:pets category:food"


def test_a_value_with_blanks_is_quoted_and_quotes_are_dropped():
    assert after("", "camera", 'Canon "EOS" 5D') == 'camera:"Canon EOS 5D"'


@pytest.mark.parametrize(
    ("text", "mode", "names"),
    [
        ("person:anna person:ben", "all", ("anna", "ben")),
        ("person:anna or person:ben", "any", ("anna", "ben")),
        ("-person:anna -person:ben", "none", ("anna", "ben")),
        ("person:anna -person:ben", "all", ("anna",)),
        ("beach", "all", ()),
    ],
)
def test_people_are_all_any_or_none(text, mode, names):
    assert refine.people(parse(text)) == People(mode, names)


def test_people_change_their_mode_and_others_stay():
    query = parse("beach person:anna person:ben -person:carl")
    assert str(refine.choose_people(query, People("any", ("anna", "ben")))) == (
        "beach -person:carl person:anna or person:ben"
    )
    assert str(refine.choose_people(query, People("none", ("anna",)))) == "beach -person:carl -person:anna"
    assert str(refine.choose_people(query, People("all", ()))) == "beach -person:carl"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("year:2019", date(2019, 1, 1), date(2019, 12, 31)),
        ("after:2019-05 before:2020", date(2019, 5, 1), date(2019, 12, 31)),
        ("date:2019-02", date(2019, 2, 1), date(2019, 2, 28)),
        ("after:2019", date(2019, 1, 1), None),
        ("-year:2019 beach", None, None),
    ],
)
def test_dates_are_read_as_days(text, first, last):
    assert refine.period(parse(text)) == Period(first, last)


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2019, 5, 1), date(2019, 6, 2), "beach date:2019-05-01..2019-06-02"),
        (date(2019, 5, 1), date(2019, 5, 1), "beach date:2019-05-01"),
        (date(2019, 5, 1), None, "beach after:2019-05-01"),
        (None, date(2019, 5, 31), "beach before:2019-06-01"),
        (None, date.max, "beach"),
        (None, None, "beach"),
        (date(2020, 1, 1), date(2019, 1, 1), "beach"),
    ],
)
def test_days_become_dates_of_the_query(first, last, text):
    found = refine.choose_period(parse("beach year:1999"), Period(first, last))
    assert str(found) == text


def test_a_year_or_month_takes_the_place_of_all_dates():
    assert str(refine.choose_date(parse("after:2018 beach"), "2019")) == "beach year:2019"
    assert str(refine.choose_date(parse("year:2019 beach"), "2019-05")) == "beach date:2019-05"


names = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.text(max_size=60), st.sampled_from(sorted(FACETS)), st.lists(names, max_size=3))
def test_no_text_and_no_choice_makes_it_fail(text, name, values):
    query = refine.choose(parse(text), FACETS[name], values)
    parse(str(query))
    refine.period(query)
    refine.people(query)
    assert set(refine.without(query, FACETS[name]).clauses) <= set(query.clauses)
