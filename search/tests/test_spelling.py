"""Misspelt words are searched as they were meant; words that exist never."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.tests.factories import add_tag, make_photo, make_root, make_user
from people.models import Person
from people.tests.factories import add_face, say
from search import lexicon
from search.indexing import index_photos
from search.query import parse
from search.spelling import correct

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(django_capture_on_commit_callbacks):
    def add(*tags, root=None):
        photo = make_photo(root=root)
        for tag in tags:
            add_tag(photo, tag)
        with django_capture_on_commit_callbacks(execute=True):
            index_photos([photo.pk])
        lexicon.forget()
        return photo

    return add


def meant(text, user, **options):
    correction = correct(parse(text), user, **options)
    return str(correction.query) if correction else None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("sunst", "sunset"),
        ("SUNST -dog year:2019", "sunset -dog year:2019"),
        ("susnet", "sunset"),
        ("sunseet", "sunset"),
        ("celebratoin", "celebration"),
        ("selebratoin", "celebration"),
        ("(sunst 2019) or celebraton", "(sunset 2019) or celebration"),
        ("sunsat sunst", "sunset sunset"),
    ],
)
def test_mistakes_are_put_right(library, owner, typed, expected):
    library("sunset", "celebration")
    assert meant(typed, owner) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "sunset",
        "sunsets",
        '"sunst"',
        "-sunst",
        "text:sunst",
        "sun",
        "xyzzy",
        "snst9",
        "sxnxt",
        "",
        "sunrise",
        "with",
    ],
)
def test_what_is_right_or_hopeless_stays(library, owner, typed):
    library("sunset", "witch", "sunrises")
    assert meant(typed, owner) is None


def test_the_pairs_say_what_was_changed(library, owner):
    library("sunset")
    assert correct(parse("sunst at the sea"), owner).words == (("sunst", "sunset"),)


def test_a_word_the_model_knows_stays(library, owner):
    library("sunset")
    asked = []
    assert meant("sunst", owner, knows=lambda word: asked.append(word) or True) is None
    assert meant("xyzzy", owner, knows=lambda word: asked.append(word) or True) is None
    assert asked == ["sunst"]


def test_everyday_words_stay_even_if_no_photo_has_them(library, owner):
    library("coat", "goat")
    assert meant("boat", owner) is None


def test_names_of_people_are_words(library, owner):
    library("anne")
    photo = library("sunset")
    person = Person.objects.create(name="Annabel Smith")
    say(add_face(photo), person, source="imported")
    lexicon.forget()
    assert meant("Anabel", owner) == "annabel"
    assert meant("smith", owner) is None


def test_a_word_of_hidden_photos_corrects_nothing_and_is_no_word(library, owner):
    member, closed = make_user(), make_root()
    closed.visible_to.add(owner)
    library("sunset", "sunsel", root=closed)
    assert meant("sunst", owner) is not None
    assert meant("sunst", member) is None
    library("sunsets", root=make_root())
    assert meant("sunsel", owner) is None
    assert meant("sunsel", member) is None or meant("sunsel", member) == "sunset"


def test_a_word_that_only_hidden_photos_have_is_corrected_as_any_other(library, owner):
    member, closed = make_user(), make_root()
    closed.visible_to.add(owner)
    library("sonset", root=closed)
    library("sunset", root=make_root())
    assert meant("sonset", owner) is None
    assert meant("sonset", member) == "sunset"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_no_text_is_too_strange(library, owner, text):
    correct(parse(text), owner)
