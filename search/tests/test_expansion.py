"""Other words for what was typed."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.tests.factories import add_tag, make_photo
from search import expansion
from search.expansion import alternatives, is_listed
from search.hybrid import search
from search.indexing import index_photos
from search.query import parse
from search.text import fold


def texts(word: str) -> dict[str, float]:
    return {other.text: other.weight for other in alternatives(word)}


def test_synonyms_kinds_and_what_is_meant():
    dog = texts("dog")
    assert dog["canine"] > dog["puppy"] > dog["pet"]
    assert "dog" not in dog
    assert texts("puppy")["dog"] < dog["puppy"]
    assert texts("hound")["canine"] == texts("canine")["dog"]
    assert "chimney" not in dog and "animal" not in dog
    assert "dog" in texts("animal")


@pytest.mark.parametrize(
    ("plural", "singular"), [("dogs", "dog"), ("puppies", "puppy"), ("beaches", "beach"), ("leaves", "leaf")]
)
def test_plurals_are_the_same(plural, singular):
    assert set(texts(plural)) >= set(texts(singular)) - {plural}


def test_several_words_have_other_words_too():
    assert "xmas" in texts("christmas")
    assert "yacht" in texts("sailing boat")
    assert "city map" in texts("map")


def test_words_with_two_meanings_are_found_by_the_word_alone():
    assert "pub" in texts("bar")
    assert texts("bar place") == {}


def test_the_list_is_folded_and_has_no_line_twice():
    heads = Counter()
    for line in expansion.FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            head, *parts = expansion._PARTS.split(line)
            assert fold(line) == line, line
            assert all(part.strip() for part in parts) and parts, line
            heads[head.strip()] += 1
    assert len(heads) > 300
    assert [head for head, times in heads.items() if times > 1] == []


def test_what_is_listed_is_a_word():
    assert is_listed("boats") and is_listed("terrier") and is_listed("wheel")
    assert not is_listed("sunst")


@given(st.text())
def test_no_text_is_too_strange(text):
    assert len(alternatives(text)) <= expansion.MOST
    is_listed(fold(text))


@pytest.mark.django_db
def test_other_words_are_found_below_those_that_were_typed(client, owner, no_embedder):
    tagged, named = make_photo(), make_photo("dog walk/x.jpg")
    for tag in ("puppy", "hound", "canine", "poodle"):
        add_tag(tagged, tag)
    index_photos([tagged.pk, named.pk])
    assert [hit.photo_id for hit in search(parse("dog"), owner).hits] == [named.pk, tagged.pk]
    assert [hit.photo_id for hit in search(parse('"dog"'), owner).hits] == [named.pk]
    client.force_login(owner)
    html = client.get("/search?q=dog").content.decode()
    assert re.search(r"<mark>puppy</mark>\s*<span class=\"muted\">\(for dog\)", html)
