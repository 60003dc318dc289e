"""The search page."""

from __future__ import annotations

import re

import pytest

from library.tests.factories import add_tag, add_text, make_photo, make_root, make_user
from search import views
from search.indexing import index_photos

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    user = make_user("member")
    client.force_login(user)
    return user


def page(client, query="", **options):
    response = client.get("/search", {"q": query} | options)
    assert response.status_code == 200
    return response.content.decode()


def test_only_people_who_logged_in_may_search(client):
    assert client.get("/search").status_code == 302


def test_an_empty_box_shows_what_can_be_asked(client, member):
    html = page(client)
    assert "two cats on a sofa" in html
    assert "text%3Areceipt" in html


def test_hits_say_why(client, member, no_embedder):
    photo = make_photo("vet.jpg")
    add_tag(photo, "receipt")
    add_text(photo, "Dr. <b>Krause</b> receipt")
    index_photos([photo.pk])
    html = page(client, "receipt")
    assert f'href="/photo/{photo.pk}"' in html
    assert "<mark>receipt</mark>" in html
    assert "&lt;b&gt;Krause" in html
    assert 'chip small matched">receipt' in html
    assert "There is no CLIP model." in html


def test_the_photos_of_others_are_not_there(client, member, no_embedder):
    root = make_root()
    root.visible_to.add(make_user())
    photo = make_photo("cat.jpg", root=root)
    index_photos([photo.pk])
    assert "Nothing found" in page(client, "cat")


def test_filters_are_chips_that_can_be_removed(client, member, no_embedder):
    html = page(client, "cat tag:pet -dog", mode="keyword")
    assert 'href="/search?q=cat+-dog&amp;mode=keyword"' in html
    assert 'href="/search?q=cat+tag%3Apet&amp;mode=keyword"' in html


def test_modes_are_links_and_a_wrong_one_is_the_usual_one(client, member, embedder):
    html = page(client, "cat", mode="nonsense")
    assert re.search(r'href="/search\?q=cat" aria-current="true">Everything', html)
    assert 'href="/search?q=cat&amp;mode=semantic"' in html


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 30, "499"])
def test_a_strange_offset_is_harmless(client, member, no_embedder, offset):
    page(client, "cat", offset=offset)


def test_more_hits_come_as_a_fragment(client, member, no_embedder):
    ids = [make_photo(title="cat").pk for _ in range(views.PAGE_SIZE + 3)]
    index_photos(ids)
    assert "offset=48" in page(client, "cat")
    response = client.get("/search", {"q": "cat", "offset": "48"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "HX-Request" in response["Vary"]
    assert "<html" not in html
    assert html.count('id="hit-') == 3
    assert 'id="more"' not in html
    assert (
        'id="results"' in client.get("/search", {"q": "cat"}, headers={"HX-Request": "true"}).content.decode()
    )


def test_the_page_has_nothing_inline(client, member, embedder, photo_of):
    photo_of("cat", tags=["cat"], text="a cat")
    html = page(client, "cat")
    assert "<meter" in html
    assert "style=" not in html
    assert "onclick" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)


def test_the_number_of_queries_does_not_grow(
    client, member, embedder, photo_of, django_assert_max_num_queries
):
    ids = [photo_of("cat", tags=["cat"], indexed=False).pk for _ in range(40)]
    index_photos(ids)
    with django_assert_max_num_queries(22):
        assert page(client, "cat").count('id="hit-') == 40
