"""People, places, dates and categories in plain words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.models import Category, Place
from library.tests.factories import add_tag, make_photo, make_root, make_user
from people.models import Person
from people.tests.factories import add_face, say
from search.chips import chips
from search.hybrid import search
from search.indexing import index_photos
from search.query import parse
from search.query.almanac import easter
from search.query.recognition import Vocabulary, recognise
from search.vocabulary import read

TODAY = date(2026, 11, 28)  # a Saturday
KNOWN = Vocabulary(
    TODAY,
    people={("mum",): "Mum", ("anna",): "Anna", ("anna", "muller"): "Anna Müller", ("rose",): "Rose"},
    places={("paris",): "Paris", ("nice",): "Nice", ("new", "york"): "New York"},
    categories={("food",): "Food"},
)


def understood(text, **options):
    return str(recognise(parse(text), replace(KNOWN, **options)))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Mum at the beach summer 2019", "person:Mum at the beach date:2019-06..2019-08"),
        ("photos of anna müller in Paris", 'person:"Anna Müller" place:Paris'),
        ("mum and anna with a dog", "person:Mum person:Anna with a dog"),
        ("mum or anna", "person:Mum or person:Anna"),
        ("mum or dog", "mum or dog"),
        ("cake -mum", "cake -person:Mum"),
        ("sunset in new york", 'sunset place:"New York"'),
        ('"mum" "may 2019" cat', '"mum" "may 2019" cat'),
        ("rose", "rose"),
        ("Rose", "person:Rose"),
        ("nice beach", "nice beach"),
        ("beach in Nice", "beach place:Nice"),
        ("(mum cat) or dog", "(mum cat) or dog"),
        ("food 2019", "category:Food date:2019"),
        ("dog food 2019", "dog food date:2019"),
        ("tag:mum 1234", "tag:mum 1234"),
    ],
)
def test_names_and_dates_become_fields(text, meaning):
    assert understood(text) == meaning


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2019", "2019"), ("in 2019", "2019"), ("May 2019", "2019-05"), ("2019 may", "2019-05"),
        ("12 May 2019", "2019-05-12"), ("12th of May, 2019", "2019-05-12"), ("May 12, 2019", "2019-05-12"),
        ("2019-05-31", "2019-05-31"), ("31.5.2019", "2019-05-31"), ("5/31/2019", "2019-05-31"),
        ("2015-2018", "2015..2018"), ("between 2015 and 2018", "2015..2018"), ("2018 to 2015", "2015..2018"),
        ("summer of 2019", "2019-06..2019-08"), ("winter 2018/19", "2018-12..2019-02"),
        ("christmas 2018", "2018-12-24..2018-12-26"), ("New Year's Eve 2018", "2018-12-31"),
        ("Easter 2019", "2019-04-19..2019-04-22"), ("thanksgiving 2020", "2020-11-26"),
        ("last christmas", "2025-12-24..2025-12-26"), ("in may", "2026-05"), ("in december", "2025-12"),
        ("today", "2026-11-28"), ("yesterday", "2026-11-27"), ("the day before yesterday", "2026-11-26"),
        ("last night", "2026-11-27..2026-11-28"), ("last weekend", "2026-11-21..2026-11-22"),
        ("this week", "2026-11-23..2026-11-29"), ("last week", "2026-11-16..2026-11-22"),
        ("last month", "2026-10"), ("last year", "2025"), ("last summer", "2026-06..2026-08"),
        ("this winter", "2025-12..2026-02"), ("last monday", "2026-11-23"), ("two years ago", "2024"),
        ("a month ago", "2026-10"), ("3 days ago", "2026-11-25"), ("a week ago", "2026-11-16..2026-11-22"),
        ("the last 3 months", "2026-08-28..2026-11-28"), ("past 10 days", "2026-11-18..2026-11-28"),
        ("the 90s", "1990..1999"), ("1980s", "1980..1989"), ("10s", "2010..2019"),
        ("Mai 2019", "2019-05"), ("août 2020", "2020-08"), ("verano 2019", "2019-06..2019-08"),
        ("Weihnachten 2019", "2019-12-24..2019-12-26"), ("3. Oktober 1990", "1990-10-03"),
    ],
)  # fmt: skip
def test_dates_as_people_say_them(text, days):
    assert understood(text) == f"date:{days}"
    assert understood(f"cat {text} dog") == f"cat date:{days} dog"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [("since 2019", "after:2019-01-01"), ("before May 2015", "before:2015-05-01"),
     ("after june 2015", "after:2015-07-01"), ("until 2018", "before:2019-01-01")],
)  # fmt: skip
def test_dates_may_be_bounds(text, meaning):
    assert understood(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "may",
        "summer",
        "christmas",
        "march",
        "fall",
        "3000",
        "1500",
        "2050",
        "monday",
        "0 years",
        "99999 days ago",
    ],
)
def test_what_may_mean_anything_stays_words(text):
    assert understood(text) == text


def test_days_and_winters_that_do_not_exist_are_read_as_far_as_they_make_sense():
    assert understood("31 February 2019") == "31 date:2019-02"
    assert understood("winter 2018/25") == "winter 2018/25"


def test_seasons_follow_the_hemisphere():
    assert understood("summer 2019", southern=True) == "date:2019-12..2020-02"
    assert understood("winter 2019", southern=True) == "date:2019-06..2019-08"


def test_easter_is_right_for_years_that_are_known():
    known = {1818: (3, 22), 1943: (4, 25), 2000: (4, 23), 2008: (3, 23), 2024: (3, 31), 2038: (4, 25)}
    assert {year: (easter(year).month, easter(year).day) for year in known} == known


PIECES = [
    "mum", "Rose", "in", "2019", "may", "31", "last", "summer", "of", "photos", "and", "or", "-", "(", ")",
    '"', "food", "ago", "two", "years", "-mum", "2019-2020", "category:food", "paris,", "christmas", "since",
]  # fmt: skip


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join), st.dates())
def test_recognising_never_fails_and_its_result_prints_back(text, today):
    vocabulary = replace(KNOWN, today=today)
    query = recognise(parse(text), vocabulary)
    assert parse(str(query)) == query
    assert recognise(query, vocabulary) == query


def test_a_recognised_text_is_kept_as_it_was_typed():
    query = recognise(parse("photos of mum yesterday at the beach"), KNOWN)
    assert query.as_typed == "photos of mum yesterday at the beach"
    assert str(query) == "person:Mum date:2026-11-27 at the beach"
    assert len(str(recognise(parse("2019 " * 100), KNOWN))) <= 500


def test_chips_say_how_to_take_them_away_and_that_words_were_meant():
    person, date_chip, field, literal = chips(
        recognise(parse('with Mum cat summer 2019 -type:raw "vet bill"'), KNOWN)
    )
    assert (person.kind, person.text, person.meaning) == ("person", "with Mum", "person:Mum")
    assert person.without == 'cat summer 2019 -type:raw "vet bill"'
    assert person.as_words == '"with Mum" cat summer 2019 -type:raw "vet bill"'
    assert (date_chip.kind, date_chip.recognised) == ("date", True)
    assert (field.kind, field.negated, field.as_words) == ("type", True, "")
    assert (literal.kind, literal.without) == ("words", "with Mum cat summer 2019 -type:raw")


# --- With a library -----------------------------------------------------------------------------------------


def name_in(photo, name):
    person = Person.objects.create(name=name)
    say(add_face(photo), person)
    return person


@pytest.fixture
def library(owner):
    """Anna in Rome for everybody, Zoe in Zermatt for the owner alone."""
    closed, everywhere = make_root(), make_root()
    closed.visible_to.add(owner)
    for name, city, root in (("Anna Müller", "Rome", everywhere), ("Zoe", "Zermatt", closed)):
        photo = make_photo(
            f"{city}.jpg", root=root, place=Place.objects.create(city=city, country="Somewhere")
        )
        name_in(photo, name)
    Person.objects.create(name="Nobody Here")


@pytest.mark.django_db
def test_names_are_those_of_photos_one_may_see(owner, library):
    member = make_user()
    text = "anna in rome zoe in zermatt nobody"
    assert str(read(text, owner)) == "person:Anna place:Rome person:Zoe place:Zermatt nobody"
    assert str(read(text, member)) == "person:Anna place:Rome zoe in zermatt nobody"
    assert str(read("ANNA MULLER", member)) == 'person:"Anna Müller"'
    assert len(search(read("anna rome", member), member).hits) == 1


@pytest.mark.django_db
def test_hidden_people_are_not_recognised(owner, library):
    Person.objects.filter(name="Zoe").update(hidden=True)
    assert str(read("zoe", owner)) == "zoe"


@pytest.mark.django_db
def test_names_that_are_hard_to_print_are_recognised(owner):
    name_in(make_photo(), 'Bob "the (cat)" Smith')
    query = read("bob the cat smith", owner)
    assert parse(str(query)) == query
    assert len(search(query, owner).hits) == 1


@pytest.mark.django_db
def test_the_words_of_a_category_put_its_photos_in_order(owner, no_embedder):
    food = Category.objects.create(slug="food", name="Food and drink")
    plain, titled = make_photo(), make_photo(title="food food", taken_local=make_photo().taken_local)
    for photo in (plain, titled):
        add_tag(photo, "pizza", category=food)
    index_photos([plain.pk, titled.pk])
    query = read("food", owner)
    assert str(query) == 'category:"Food and drink"'
    assert [hit.photo_id for hit in search(query, owner).hits] == [titled.pk, plain.pk]


@pytest.mark.django_db
def test_reading_takes_a_constant_number_of_queries(owner, django_assert_max_num_queries):
    for number in range(30):
        name_in(make_photo(place=Place.objects.create(city=f"City {number}")), f"Person {number}")
    with django_assert_max_num_queries(9):
        assert "person:" in str(read("person 7 at city 12 summer 2019", owner))
