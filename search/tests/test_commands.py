"""The commands, by what they print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.actions.places import set_places
from library.models import EmbeddingSpace, PhotoEmbedding
from library.tests.factories import add_tag, make_photo, make_root, make_user
from search import hybrid, ranking
from search.indexing import index_photos
from search.query import parse

PLACES = [(52.5163, 13.3777), (30.0, -40.0), (48.0, 11.0)]


def run(*arguments, **options):
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_search_prints_hits_for_people_and_for_scripts(no_embedder):
    root = make_root(b"/pictures")
    root.visible_to.add(make_user())
    photo = make_photo("trips/café.jpg", root=root)
    add_tag(photo, "coffee")
    index_photos([photo.pk])
    out, err = run("search", "cafe coffee", "--json")
    (row,) = json.loads(out)
    assert (row["photo"], row["path"]) == (photo.pk, "/pictures/trips/café.jpg")
    assert row["score"] == pytest.approx(1 / 61, abs=1e-5)
    assert row["why"]["keyword_rank"] == 1
    assert {match["field"] for match in row["why"]["matches"]} == {"tag", "file"}
    assert "Set CLIP_ONNX_DIR." in err
    out, _ = run("search", "coffee", "--mode", "keyword")
    assert "/pictures/trips/café.jpg  (tag: coffee)" in out
    out, err = run("search", "nothing", "--mode", "keyword")
    assert (out, err) == ("", "Nothing found.\n")
    assert json.loads(run("search", "nothing", "--json")[0]) == []


@pytest.mark.django_db
def test_search_as_somebody_else_finds_what_they_may_see(no_embedder):
    root, member = make_root(), make_user("max")
    root.visible_to.add(make_user())
    index_photos([make_photo(title="cat", root=root).pk])
    assert len(json.loads(run("search", "cat", "--json")[0])) == 1
    assert json.loads(run("search", "cat", "--json", "--user", "max")[0]) == []
    with pytest.raises(CommandError, match="no active user “nobody”"):
        run("search", "cat", "--user", "nobody")
    assert member.is_active


@pytest.mark.django_db
def test_explain_search_tells_how_a_query_was_read_ranked_and_run(embedder, photo_of):
    photo = photo_of("cat", tags=["cat"], taken_local=datetime(2019, 7, 5, tzinfo=UTC))
    found = json.loads(run("explain_search", "cat july 2019", "--json")[0])
    assert found["query"]["meaning"] == "cat date:2019-07"
    assert found["query"]["filters"][0]["as_words"] == 'cat "july 2019"'
    assert found["ranking"]["words"] == "(('cat'))"
    assert found["ranking"]["distances"] == "exact"
    assert {"reading", "filters", "estimate", "ranking", "reasons"} <= set(found["milliseconds"])
    assert [row["photo"] for row in found["candidates"]] == [photo.pk]
    assert any("Execution Time" in line for line in found["plan"])
    assert max(map(len, found["plan"])) < 1000
    out, _ = run("explain_search", "cat july 2019")
    assert "understood as  cat date:2019-07" in out
    assert "words    1  meaning    1" in out
    by_date = json.loads(run("explain_search", "2019", "--json")[0])
    assert (by_date["ranking"], by_date["plan"], by_date["total"]) == (None, [], 1)


@pytest.mark.django_db
def test_reindex_search_writes_what_is_missing_once():
    for _ in range(3):
        make_photo()
    assert json.loads(run("reindex_search", "--json")[0]) == {"photos": 3, "changed": 3}
    assert "3 photos, 0 documents changed" in run("reindex_search")[0]


@pytest.mark.django_db(transaction=True)
def test_reindex_vectors_keeps_the_indexes_that_are_needed(embedder, photo_of, space, owner, monkeypatch):
    for number in range(40):
        photo_of(["cat", "dog"][number % 2])
    exact = [hit.photo_id for hit in hybrid.search(parse("cat"), owner).hits]
    assert _actions() == ["none"]
    assert _actions("--threshold", "10") == ["built"]
    assert _actions("--threshold", "10") == ["kept"]
    definition = _index_definition()
    assert definition.endswith(f"WITH (m='24', ef_construction='128') WHERE (space_id = {space.pk})")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX photo_embedding_hnsw_{space.pk}")
        cursor.execute(definition.replace("m='24'", "m='16'"))
    assert _actions("--threshold", "10") == ["built"]
    assert _index_definition() == definition

    monkeypatch.setattr(ranking, "EXACT_LIMIT", 10)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE; SET enable_seqscan = off; SET enable_sort = off")
    with CaptureQueriesContext(connection) as queries:
        assert [hit.photo_id for hit in hybrid.search(parse("cat"), owner).hits] == exact
    assert any("hnsw.iterative_scan" in query["sql"] for query in queries)
    with connection.cursor() as cursor:
        cursor.execute("RESET ALL")

    EmbeddingSpace.objects.filter(pk=space.pk).update(status=EmbeddingSpace.Status.RETIRED)
    assert _actions("--threshold", "10") == ["dropped"]
    assert _index_definition() == ""
    assert PhotoEmbedding.objects.count() == 40


def _actions(*arguments):
    return [report["action"] for report in json.loads(run("reindex_vectors", "--json", *arguments)[0])]


def _index_definition():
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'photo_embedding_hnsw_%'")
        row = cursor.fetchone()
    return row[0] if row else ""


@pytest.mark.django_db
def test_name_places_names_what_has_a_position(no_embedder, owner):
    here, sea, named = (make_photo(latitude=north, longitude=east) for north, east in PLACES)
    set_places(names={named.pk: ("Home", "", "")})
    assert json.loads(run("name_places", "--json")[0]) == {"photos": 2, "named": 1}
    assert "0 of 1 photos" in run("name_places")[0]
    for text, photo in {"place:berlin": here, "berlin": here, "place:home": named}.items():
        assert [hit.photo_id for hit in hybrid.search(parse(text), owner).hits] == [photo.pk]
    sea.refresh_from_db()
    assert sea.place is None
    assert set_places(names={here.pk: ("", "", "")}) == 1
    assert set_places(names={here.pk: ("", "", "")}) == 0
