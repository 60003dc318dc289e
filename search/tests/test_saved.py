"""Searches that are kept: saved under a name, shared, as albums, and the history."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from library.models import Category
from library.tests.factories import add_tag, make_photo, make_root, make_user
from library.tests.pages import assert_sound
from search import history
from search.actions.history import remember
from search.models import HistoryEntry, SavedSearch
from search.query import parse

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    make_root()
    user = make_user("member")
    client.force_login(user)
    return user


@pytest.fixture
def other(db):
    return make_user("other")


@pytest.fixture
def other_client(other):
    client = Client()
    client.force_login(other)
    return client


def save(client, **values):
    response = client.post("/searches/save", values, follow=True)
    assert response.status_code == 200
    return assert_sound(response)


def test_a_search_is_saved_with_all_that_it_asks(client, member):
    save(client, name=" My   beach ", q="beach  category:food", mode="keyword", sort="oldest", weaker="1")
    saved = SavedSearch.objects.get(owner=member)
    assert (saved.name, saved.query) == ("My beach", "beach category:food")
    assert (saved.mode, saved.sort, saved.weaker, saved.shared, saved.is_album) == (
        "keyword", "oldest", True, False, False
    )  # fmt: skip
    response = client.get(f"/searches/{saved.pk}")
    assert response.url == "/search?q=beach+category%3Afood&mode=keyword&sort=oldest&weaker=1"
    assert "<h2>My beach</h2>" in assert_sound(client.get(response.url))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "", "q": "beach"}, "needs a name"),
        ({"name": "x" * 101, "q": "beach"}, "too long"),
        ({"name": "Nothing", "q": "  "}, "no search to save"),
    ],
)
def test_what_cannot_be_saved_is_said(client, member, values, said):
    assert said in save(client, **values)
    assert not SavedSearch.objects.exists()


def test_a_name_is_used_once_by_each(client, member, other):
    SavedSearch.objects.create(owner=other, name="Beach", query="sea")
    save(client, name="Beach", q="beach")
    assert "already" in save(client, name="BEACH", q="sand")
    assert SavedSearch.objects.filter(owner=member).count() == 1


def test_saved_searches_are_private_until_they_are_shared(client, member, other, other_client):
    saved = SavedSearch.objects.create(owner=member, name="Presents", query="camera", is_album=True)
    for address in ("/searches", "/albums"):
        assert "Presents" not in assert_sound(other_client.get(address))
    for address in (f"/searches/{saved.pk}", f"/searches/{saved.pk}/card"):
        assert other_client.get(address).status_code == 404
    client.post(f"/searches/{saved.pk}/change", {"name": "Gifts", "shared": "on", "is_album": "on"})
    for address in ("/searches", "/albums"):
        assert "Gifts" in assert_sound(other_client.get(address))
    assert other_client.get(f"/searches/{saved.pk}").status_code == 302


@pytest.mark.parametrize("deed", ["change", "delete"])
def test_shared_searches_are_not_changed_by_others(member, other_client, deed):
    saved = SavedSearch.objects.create(owner=member, name="Beach", query="beach", shared=True)
    assert other_client.post(f"/searches/{saved.pk}/{deed}", {"name": "x"}).status_code == 404
    assert SavedSearch.objects.get().name == "Beach"


def test_a_deleted_search_comes_back(client, member):
    saved = SavedSearch.objects.create(owner=member, name="Beach", query="beach", shared=True, sort="newest")
    html = assert_sound(client.post(f"/searches/{saved.pk}/delete", follow=True))
    assert not SavedSearch.objects.exists()
    form = html.split('class="undo"')[1].split("</form>")[0]
    values = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    save(client, **values)
    back = SavedSearch.objects.get(owner=member)
    assert (back.name, back.query, back.shared, back.sort) == ("Beach", "beach", True, "newest")


def test_a_smart_album_fills_itself_with_what_the_viewer_may_see(client, member, owner):
    closed = make_root()
    closed.visible_to.add(make_user())
    saved = SavedSearch.objects.create(
        owner=owner, name="Food", query="category:food", shared=True, is_album=True
    )
    food = Category.objects.create(slug="food", name="Food")
    seen, hidden = make_photo("a.jpg"), make_photo("b.jpg", root=closed)
    for photo in (seen, hidden):
        add_tag(photo, "pizza", category=food)
    card = client.get(f"/searches/{saved.pk}/card").content.decode()
    assert "1 photo " in card
    assert f"/thumbnail/{seen.pk}" in card
    assert f"/thumbnail/{hidden.pk}" not in card
    add_tag(make_photo("c.jpg"), "pizza", category=food)
    assert "2 photos" in client.get(f"/searches/{saved.pk}/card").content.decode()
    client.force_login(owner)
    assert "3 photos" in client.get(f"/searches/{saved.pk}/card").content.decode()
    assert f'hx-get="/searches/{saved.pk}/card"' in assert_sound(client.get("/albums"))


def test_searches_are_remembered_once_and_only_for_oneself(client, member, other_client, no_embedder):
    for text in ("beach", "cat", "beach", ""):
        client.get("/search", {"q": text})
    client.head("/search", {"q": "head"})
    assert list(HistoryEntry.objects.values_list("user", "query")) == [
        (member.pk, "beach"), (member.pk, "cat")
    ]  # fmt: skip
    assert ">beach</a>" in assert_sound(client.get("/searches"))
    assert "beach" in assert_sound(client.get("/search"))
    assert ">beach</a>" not in assert_sound(other_client.get("/searches"))
    assert ">beach</a>" not in assert_sound(other_client.get("/search"))


def test_refining_a_search_takes_the_place_of_the_one_before(member):
    remember(user_id=member.pk, query=parse("beach"))
    remember(user_id=member.pk, query=parse("beach category:food"))
    assert [entry.query for entry in history.recent(member)] == ["beach category:food"]
    HistoryEntry.objects.update(at=timezone.now() - timedelta(hours=1))
    remember(user_id=member.pk, query=parse("beach has:gps"))
    assert [entry.query for entry in history.recent(member)] == ["beach has:gps", "beach category:food"]


def test_the_history_is_bounded(member, monkeypatch):
    monkeypatch.setattr("search.actions.history.KEPT", 3)
    for number in range(5):
        remember(user_id=member.pk, query=parse(f"photo{number}"))
    assert [entry.query for entry in history.recent(member)] == ["photo4", "photo3", "photo2"]


def test_one_search_or_all_are_forgotten(client, member, other):
    for user in (member, other):
        for text in ("beach", "cat", "dog"):
            remember(user_id=user.pk, query=parse(text))
    mine, theirs = history.recent(member)[0], history.recent(other)[0]
    assert client.post(f"/searches/history/{theirs.pk}/forget").status_code == 404
    client.post(f"/searches/history/{mine.pk}/forget")
    assert [entry.query for entry in history.recent(member)] == ["cat", "beach"]
    client.post("/searches/history/clear")
    assert not history.recent(member)
    assert history.recent(other).count() == 3


def test_a_history_that_is_switched_off_is_gone_and_stays_empty(client, member, no_embedder):
    client.get("/search", {"q": "beach"})
    client.post("/searches/history/switch")
    client.get("/search", {"q": "cat"})
    assert not HistoryEntry.objects.exists()
    assert "Keep a history" in assert_sound(client.get("/searches"))
    client.post("/searches/history/switch", {"keep": "1"})
    client.get("/search", {"q": "cat"})
    assert HistoryEntry.objects.get().query == "cat"


def test_the_number_of_queries_does_not_grow(client, member):
    def queries(address):
        with CaptureQueriesContext(connection) as context:
            client.get(address)
        return len(context)

    def fill(numbers):
        for number in numbers:
            SavedSearch.objects.create(owner=member, name=f"s{number}", query="cat", is_album=True)
            HistoryEntry.objects.create(user=member, query=f"photo {number}", at=timezone.now())

    fill(range(10))
    few = [queries(address) for address in ("/searches", "/albums", "/search")]
    fill(range(10, 100))
    assert [queries(address) for address in ("/searches", "/albums", "/search")] == few
