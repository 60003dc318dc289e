"""The search page."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import Album, PhotoFile, Root
from library.tests.factories import add_tag, add_text, make_file, make_photo, make_root, make_user
from library.tests.pages import assert_sound
from search.indexing import index_photos

pytestmark = pytest.mark.django_db


SHORT = 6


@pytest.fixture
def short_pages(monkeypatch):
    """Six hits a page."""
    monkeypatch.setattr("search.found.PAGE_SIZE", SHORT)


@pytest.fixture
def member(client):
    user = make_user("member")
    client.force_login(user)
    return user


def page(client, query="", **options):
    response = client.get("/search", {"q": query} | options)
    assert response.status_code == 200
    return assert_sound(response)


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
    assert f'href="/photo/{photo.pk}?q=receipt"' in html
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


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30, "key.48", ".5", "x.-1", "2019-13-01T00:00:00_1"])
def test_a_strange_place_to_go_on_from_is_harmless(client, member, no_embedder, after):
    ids = [make_photo(title="cat").pk for _ in range(3)]
    index_photos(ids)
    for query in ("cat", "after:2000"):
        assert found_ids(page(client, query, after=after)) == ids[::-1]


def found_ids(html):
    return [int(pk) for pk in re.findall(r'id="hit-(\d+)"', html)]


def following(html):
    """The address of the page after this one."""
    found = re.search(r'hx-get="([^"]+)" hx-trigger="revealed"', html)
    return found and found[1].replace("&amp;", "&")


def fragment(client, address):
    return client.get(address, headers={"HX-Request": "true"})


def test_more_hits_come_as_a_fragment(client, member, no_embedder, short_pages):
    ids = [make_photo(title="cat").pk for _ in range(SHORT + 3)]
    index_photos(ids)
    response = fragment(client, following(page(client, "cat")))
    html = response.content.decode()
    assert "HX-Request" in response["Vary"]
    assert "<html" not in html
    assert html.count('id="hit-') == 3
    assert 'id="more"' not in html
    whole = fragment(client, "/search?q=cat&sort=newest")
    assert 'id="results"' in whole.content.decode()
    assert whole["HX-Push-Url"] == "/search?q=cat&sort=newest"


@pytest.mark.parametrize("query", ["cat", "after:2000"])
@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest"])
def test_pages_stay_right_while_photos_arrive(client, member, no_embedder, short_pages, query, sort):
    ids = [make_photo(title="cat").pk for _ in range(2 * SHORT + 5)]
    index_photos(ids)
    first = page(client, query, sort=sort)
    found = found_ids(first)
    for more in (3, 2):
        new = [make_photo(title="cat").pk for _ in range(more)]
        index_photos(new)
        first = client.get(following(first)).content.decode()
        found += found_ids(first)
    assert len(found) == len(set(found)), "a photo came twice"
    assert set(ids) <= set(found), "a photo was lost"


def test_weaker_matches_are_a_link_away(client, member, embedder, photo_of):
    photo_of("cat")
    photo_of("cat", "dog", "beach", "car")
    html = page(client, "cat")
    assert found_ids(html)
    link = re.search(r'href="([^"]+weaker=1)">Show 1 weaker match<', html)
    assert link, "no way to the weaker one"
    more = assert_sound(client.get(link[1].replace("&amp;", "&")))
    assert len(found_ids(more)) == len(found_ids(html)) + 1
    assert "Show clear matches only" in more


def test_albums_are_found_as_the_page_of_albums_shows_them(client, member):
    make_root()
    closed = make_root()
    closed.visible_to.add(make_user())
    photo = make_photo("open.jpg")
    make_file(photo, "trip/open.jpg", root=closed)
    Album.objects.create(title="Our picnic").add([photo.pk])
    Album.objects.create(title="Secret trip", source=Album.Source.TAKEOUT).add([photo.pk])
    assert found_ids(page(client, "album:picnic")) == [photo.pk]
    assert found_ids(page(client, "album:trip")) == []


def test_later_pages_heed_rights_that_ended(client, member, no_embedder, short_pages):
    ids = [make_photo(title="cat").pk for _ in range(SHORT + 3)]
    index_photos(ids)
    address = following(page(client, "cat"))
    make_root().visible_to.add(make_user())
    PhotoFile.objects.filter(photo=ids[0]).update(root=Root.objects.latest("pk"))
    assert found_ids(client.get(address).content.decode()) == [ids[2], ids[1]]


def test_the_order_of_others_is_not_gone_on_with(client, member, no_embedder, short_pages):
    ids = [make_photo(title="cat").pk for _ in range(SHORT + 3)]
    index_photos(ids)
    address = following(page(client, "cat"))
    client.force_login(make_user("other"))
    assert len(found_ids(client.get(address).content.decode())) == SHORT


def test_by_date_there_is_no_end_but_the_last_photo(client, member):
    older, newer = make_photo(), make_photo()
    assert found_ids(page(client, "after:2000")) == [newer.pk, older.pk]
    assert found_ids(page(client, "after:2000", sort="oldest")) == [older.pk, newer.pk]


def test_the_results_are_a_grid_or_a_list(client, member):
    make_photo("2019/a.jpg")
    assert 'class="grid hits' in page(client, "after:2000")
    assert 'class="cards hits' in page(client, "after:2000 -tag:x tag:y or year:2019")
    html = page(client, "after:2000", view="list")
    assert 'class="rows hits' in html
    assert "a.jpg</a>" in html
    assert "view=list" in html.split('aria-label="Sort"')[1].split("</nav>")[0]


def test_the_page_has_nothing_inline(client, member, embedder, photo_of):
    photo_of("cat", tags=["cat"], text="a cat")
    html = page(client, "cat")
    assert "<meter" in html
    assert "style=" not in html
    assert "onclick" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)


def test_the_number_of_queries_does_not_grow(client, member, embedder, photo_of, monkeypatch):
    def queries(query):
        page(client, query)  # what a text means, and the scale of the space, are remembered from here on
        with CaptureQueriesContext(connection) as context:
            page(client, query)
        return len(context)

    def fill(number):
        index_photos([photo_of("cat", tags=["cat"], indexed=False).pk for _ in range(number)])

    fill(10)
    few = queries("cat"), queries("tag:cat")
    fill(35)
    assert (queries("cat"), queries("tag:cat")) == few
    monkeypatch.setattr("search.found.PAGE_SIZE", 40)
    # With a second page the order of the ranked ones is written down.
    assert (queries("cat"), queries("tag:cat")) == (few[0] + 2, few[1])
    assert max(few) <= 32
