"""Answers are kept until something changes, and never for somebody else."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from library.models import Photo
from library.tests.factories import add_tag, make_photo, make_root, make_user
from people.models import Person
from search import caching, changes
from search.cache_models import SearchChange, TextVector
from search.indexing import index_photos

pytestmark = pytest.mark.django_db


class Counter:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def test_an_answer_is_kept_until_something_changes():
    user, count = make_user(), Counter()
    photo = make_photo()
    assert caching.cached("facets", user, count) == caching.cached("facets", user, count) == 1
    assert caching.cached("other", user, count) == 2
    add_tag(photo, "cat")
    assert caching.cached("facets", user, count) == 3


@pytest.mark.parametrize(
    "write",
    [
        lambda photo: index_photos([photo.pk]),
        lambda photo: Photo.objects.filter(pk=photo.pk).update(state="partial"),
        lambda photo: Photo.objects.filter(pk=photo.pk).update(rating=5),
        lambda photo: photo.files.update(missing_since=timezone.now()),
        lambda photo: photo.files.get().root.visible_to.add(make_user()),
        lambda photo: Person.objects.create(name="Mum"),
        lambda photo: photo.delete(),
        lambda photo: changes.note(),
    ],
)
def test_what_changes_the_version(write):
    photo = make_photo()
    before = changes.version()
    write(photo)
    assert changes.version() != before


@pytest.mark.parametrize(
    "write",
    [
        lambda photo: Photo.objects.filter(pk=photo.pk).update(lease_until=timezone.now(), leased_by="me"),
        lambda photo: photo.files.update(seen_at=timezone.now()),
    ],
)
def test_what_workers_note_all_the_time_does_not(write):
    photo = make_photo()
    before = changes.version()
    write(photo)
    assert changes.version() == before


def test_an_answer_is_for_one_person_with_these_rights():
    anna, ben, count = make_user(), make_user(), Counter()
    root = make_root()
    assert caching.cached("facets", anna, count) == 1
    assert caching.cached("facets", ben, count) == 2
    root.visible_to.add(ben)
    SearchChange.objects.all().delete()  # also without any note of it
    assert caching.cached("facets", anna, count) == 3


def test_old_changes_are_forgotten_and_the_version_moves_on(monkeypatch):
    monkeypatch.setattr(changes, "KEPT", 10)
    versions = set()
    for _ in range(60):
        changes.note()
        versions.add(changes.version())
    assert len(versions) == 60
    assert 10 <= SearchChange.objects.count() <= 20


def test_an_answer_of_nothing_is_kept_too():
    user, asked = make_user(), []
    for _ in range(2):
        assert caching.cached("none", user, lambda: asked.append(1)) is None
    assert len(asked) == 1


class CountingEmbedder:
    engine_id = "test/counting@1"

    def __init__(self) -> None:
        self.texts = []

    def embed_texts(self, texts):
        self.texts += texts
        return np.array([[1.0, len(self.texts)]], dtype=np.float32)


def test_a_text_is_embedded_once_for_all_processes(django_assert_num_queries):
    embedder = CountingEmbedder()
    first = caching.text_vector(embedder, "two  cats")
    with django_assert_num_queries(0):
        assert caching.text_vector(embedder, "two cats ") is first
    caching.forget()  # as another process
    assert caching.text_vector(embedder, "two cats").tolist() == first.tolist()
    assert caching.text_vector(embedder, "two dogs").tolist() != first.tolist()
    embedder.engine_id = "test/counting@2"
    caching.text_vector(embedder, "two cats")
    assert embedder.texts == ["two cats", "two dogs", "two cats"]
    assert not TextVector.objects.filter(key__contains="cat").exists()


def test_stored_vectors_are_bounded(monkeypatch):
    monkeypatch.setattr(caching, "TEXTS_STORED", 3)
    monkeypatch.setattr(caching, "_PRUNE_EVERY", 1)
    embedder = CountingEmbedder()
    for number in range(8):
        caching.text_vector(embedder, f"text {number}")
    assert TextVector.objects.count() == 3


def test_counts_beside_a_search_follow_rights_at_once(client, no_embedder):
    member, root = make_user(), make_root()
    photo = make_photo(root=root, camera_model="Secret 7", format="HEIF")
    client.force_login(member)

    def counted():
        return "HEIC" in client.get("/search/facets", {"q": "year:2019"}).content.decode()

    assert counted()
    with CaptureQueriesContext(connection) as first:
        counted()
    root.visible_to.add(make_user())
    assert not counted()
    root.visible_to.clear()
    assert counted()
    Photo.objects.filter(pk=photo.pk).update(format="PNG")
    assert not counted()
    assert not any("facet" in query["sql"] and "WITH" in query["sql"] for query in first)
