"""Documents: what is in them, with which weight, and that they are written only when they change."""

from __future__ import annotations

import pytest

from library.models import Category, DetectedObject, Photo, Place
from library.tests.factories import add_description, add_tag, add_text, make_file, make_photo
from search import indexing
from search.conditions import document_query
from search.models import SearchDocument
from search.text import words

pytestmark = pytest.mark.django_db


def finds(text: str, weights: str = "") -> list[int]:
    found = SearchDocument.objects.filter(document=document_query(words(text), weights))
    return list(found.order_by("pk").values_list("pk", flat=True))


def test_every_kind_of_word_has_its_weight():
    photo = make_photo(
        "Holidays/IMG_vet-receipt2019.jpg",
        title="Grandpa's birthday",
        description="In the garden",
        keywords=["Oma Erna"],
        camera_make="Google",
        camera_model="Pixel 7",
        place=Place.objects.create(city="Zürich", country="Switzerland"),
    )
    food = Category.objects.create(slug="food", name="Food and drink")
    add_tag(photo, "coffee", category=food)
    add_text(photo, "Zum Löwen")
    add_description(photo, "Two children play.")
    assert indexing.index_photos([photo.pk]) == 1
    for text, weight in [
        ("coffee", "A"),
        ("food and drink", "A"),
        ("birthday", "A"),
        ("oma erna", "A"),
        ("zurich", "A"),
        ("switzerland", "A"),
        ("lowen", "B"),
        ("garden", "B"),
        ("vet receipt 2019", "C"),
        ("receipt2019", "C"),
        ("holiday", "C"),
        ("pixel 7", "D"),
        ("children play", "D"),
    ]:
        assert finds(text, weight) == [photo.pk], text
        assert not finds(text, "ABCD".replace(weight, "")), text
    assert not finds("jpg")
    assert not finds(indexing.GAP)


def test_a_phrase_never_reaches_from_one_value_into_the_next():
    photo = make_photo("b/c.jpg", title="red car", keywords=["wash"])
    add_tag(photo, "tree")
    indexing.index_photos([photo.pk])
    assert finds("red car") == [photo.pk]
    for text in ("car wash", "car red", "wash tree", "tree red", "c b", "b c", "car cars"):
        assert not finds(text), text


def test_scripts_without_spaces_are_found_by_a_part():
    photo = make_photo("x.jpg")
    add_text(photo, "東京日本橋カメラ")
    indexing.index_photos([photo.pk])
    assert finds("日本") == [photo.pk]
    assert not finds("本日")


def test_what_is_right_already_is_not_written_again():
    photos = [make_photo(title="one"), make_photo(title="two")]
    ids = [photo.pk for photo in photos]
    assert indexing.index_photos(ids) == 2
    before = list(SearchDocument.objects.order_by("pk").values_list("updated_at", flat=True))
    Photo.objects.filter(pk=ids[1]).update(title="three")
    assert indexing.index_photos([*ids, ids[0], 10**9]) == 1
    after = list(SearchDocument.objects.order_by("pk").values_list("updated_at", flat=True))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]
    assert indexing.remove(ids[:1]) == 1
    assert finds("one") == []


def test_texts_too_long_for_a_document_are_cut():
    photo = make_photo("x.jpg", title="ü" * 3_000, description="kept")
    add_text(photo, " ".join(f"{'ж' * 90}{number}" for number in range(7_000)))
    indexing.index_photos([photo.pk])
    assert finds("ж" * 90 + "1") == [photo.pk]


def test_a_new_category_reaches_the_photos_of_its_tags():
    photo, other = make_photo("a.jpg"), make_photo("b.jpg")
    detection = add_tag(photo, "sushi")
    add_tag(other, "car")
    list(indexing.reindex_all(batch=1))
    food = Category.objects.create(slug="food", name="Food")
    DetectedObject.objects.filter(pk=detection.pk).update(category=food)
    assert indexing.reindex_photos_of_tags([detection.tag_id]) == 1
    assert finds("food") == [photo.pk]


def test_the_number_of_queries_does_not_grow(django_assert_num_queries):
    ids = [make_photo(f"{number}.jpg", title="many").pk for number in range(100)]
    make_file(Photo.objects.get(pk=ids[0]), "second/copy.jpg")
    with django_assert_num_queries(5):
        indexing.index_photos(ids[:10])
    with django_assert_num_queries(5):
        indexing.index_photos(ids)
    assert sum(seen for seen, _ in indexing.reindex_all(batch=40)) == 100
