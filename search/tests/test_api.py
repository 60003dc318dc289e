"""The API, by what it answers."""

from __future__ import annotations

import pytest

from library.tests.factories import add_tag, add_text, make_file, make_photo, make_root, make_user
from search import lexicon
from search.indexing import index_photos

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    user = make_user("member")
    client.force_login(user)
    return user


def ask(client, **parameters):
    response = client.get("/api/search", parameters)
    return response.status_code, response.json()


def test_only_people_who_logged_in_are_answered(client):
    assert client.get("/api/search?q=cat").status_code == 302


def test_hits_come_with_their_reasons_and_how_the_query_was_read(client, member, no_embedder):
    photo = make_photo("2019/vet.jpg", root=make_root(name="Family"))
    add_tag(photo, "receipt", 0.87)
    add_text(photo, "Dr. Krause receipt")
    index_photos([photo.pk])
    status, answer = ask(client, q="receipt 2019 colours:x")
    assert status == 200
    assert answer["query"]["meaning"] == "receipt date:2019 colours:x"
    assert (
        answer["query"]["filters"][0] | {"text": "2019", "kind": "date", "recognised": True}
        == (answer["query"]["filters"][0])
    )
    assert "colours" in answer["notices"][0]["reason"]
    assert answer["hits"] == []
    (hit,) = ask(client, q="receipt 2019")[1]["hits"]
    assert (hit["photo"], hit["path"], hit["url"]) == (photo.pk, "Family/2019/vet.jpg", f"/photo/{photo.pk}")
    assert hit["taken"].startswith("2019-07")
    assert hit["why"]["tags"] == [{"name": "receipt", "confidence": 0.87}]
    assert hit["why"]["keyword_rank"] == 1
    assert "**receipt**" in hit["why"]["snippet"]
    assert {match["field"] for match in hit["why"]["matches"]} == {"tag", "text"}


def test_pages_follow_one_another(client, member):
    photos = [make_photo().pk for _ in range(5)]
    _, first = ask(client, q="year:2019", limit="2", sort="oldest")
    assert [hit["photo"] for hit in first["hits"]] == photos[:2]
    assert (first["total"], first["sort"]) == (5, "oldest")
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()
    assert [hit["photo"] for hit in (*second["hits"], *third["hits"])] == photos[2:]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "x"), ("sort", "x"), ("limit", "0"), ("limit", "201"), ("offset", "-1"), ("offset", "9" * 20)],
)
def test_a_parameter_that_cannot_be_used_is_named(client, member, name, value):
    status, answer = ask(client, q="cat", **{name: value})
    assert status == 400
    assert answer["error"].startswith(f"{name} must be")


def test_nothing_of_hidden_roots_is_told(client, member, no_embedder):
    open_root, closed = make_root(name="Open"), make_root(name="Closed")
    closed.visible_to.add(make_user())
    hidden, shared = (
        make_photo("a.jpg", root=closed, title="cat"),
        make_photo("b.jpg", root=closed, title="cat"),
    )
    make_file(shared, "c.jpg", root=open_root)
    index_photos([hidden.pk, shared.pk])
    _, answer = ask(client, q="cat")
    assert [(hit["photo"], hit["path"]) for hit in answer["hits"]] == [(shared.pk, "Open/c.jpg")]
    assert answer["total"] == 1


def test_the_number_of_queries_does_not_grow(client, member, no_embedder, django_assert_max_num_queries):
    index_photos([make_photo(title="cat").pk for _ in range(40)])
    for limit in ("10", "40"):
        with django_assert_max_num_queries(22):
            assert len(ask(client, q="cat", limit=limit)[1]["hits"]) == int(limit)


def test_misspelt_words_are_put_right_unless_they_are_meant(
    client, member, no_embedder, django_capture_on_commit_callbacks
):
    photo = make_photo(title="celebration")
    with django_capture_on_commit_callbacks(execute=True):
        index_photos([photo.pk])
    lexicon.forget()
    _, answer = ask(client, q="celebratoin")
    assert answer["corrected"] == [{"typed": "celebratoin", "meant": "celebration"}]
    assert [hit["photo"] for hit in answer["hits"]] == [photo.pk]
    _, answer = ask(client, q="celebratoin", exact="1")
    assert (answer["corrected"], answer["hits"]) == ([], [])
