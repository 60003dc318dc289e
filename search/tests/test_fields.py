"""Every field of the language, by what it finds."""

from __future__ import annotations

import pytest

from library.colours import store_colours
from library.models import Favourite, Photo, Place
from library.tests.factories import add_tag, add_text, make_file, make_photo, make_root, make_user
from people.models import Person
from people.tests.factories import add_face, say
from search.hybrid import search
from search.indexing import index_photos
from search.query import parse

pytestmark = pytest.mark.django_db


def found(text, user):
    return [hit.photo_id for hit in search(parse(text), user).hits]


def notices(text, user):
    return " ".join(map(str, search(parse(text), user).notices))


def test_measures(owner):
    big = make_photo(width=6000, height=3000, rating=5, lens="EF 50mm f/1.8", format="HEIF")
    big.files.update(size=7_000_000)
    small = make_photo(width=600, height=800, rating=2)
    small.files.update(size=90_000)
    square = make_photo(width=1000, height=1010)
    square.files.update(size=1_000_000)
    for photo, number in ((big, 3), (small, 1)):
        for position in range(number):
            add_face(photo, x=0.1 + position / 5)
    expected = {
        "size:>5mb": big, "size:<100kb": small, "size:>12mp": big, "size:<0.5mp": small,
        "rating:5": big, "rating:4+": big, "rating:<4": small, "lens:50mm": big, "format:heic": big,
        "orientation:landscape": big, "orientation:portrait": small, "orientation:square": square,
        "faces:0": square, "faces:1": small, "faces:2+": big, "faces:3": big, "-has:faces": square,
    }  # fmt: skip
    for text, photo in expected.items():
        assert found(text, owner) == [photo.pk], text
    everything = [square.pk, small.pk, big.pk]
    for text, photos in {"faces:<2": everything[:2], "faces:>=0": everything, "faces:<0": []}.items():
        assert found(text, owner) == photos, text
    assert found("has:faces", owner) == [small.pk, big.pk]
    assert found("rating:>4 or orientation:square", owner) == [square.pk, big.pk]
    assert found("(rating:>4 orientation:square) or faces:1", owner) == [small.pk]
    assert found("-(faces:0 or faces:1)", owner) == [big.pk]
    assert found("rating:5 -(faces:3 or lens:tele)", owner) == []


def test_near_is_a_circle_on_the_globe(owner):
    tower = make_photo(latitude=48.8584, longitude=2.2945)
    fiji_west = make_photo(latitude=-17.0, longitude=179.99)
    pole = make_photo(latitude=89.9, longitude=-120.0)
    make_photo()
    assert found("near:48.853,2.3499,5", owner) == [tower.pk]
    assert found("near:48.853,2.3499,4", owner) == []
    assert found("near:-17.0,-179.99,5", owner) == [fiji_west.pk]
    assert found("near:89.95,60,50", owner) == [pole.pk]
    assert found("near:0,0,20038", owner) == found("has:gps", owner) == [pole.pk, fiji_west.pk, tower.pk]


def test_colours_are_those_that_stand_out(owner):
    def colour(rgb, share, lab):
        return {"rgb": rgb, "share": share, "lab": lab}

    sea = make_photo(colours=[colour([45, 100, 190], 0.8, [43.0, 11.0, -52.0])])
    rose = make_photo(colours=[colour([200, 30, 40], 0.15, [43.0, 64.0, 38.0])])
    make_photo(colours=[colour([200, 30, 40], 0.05, [43.0, 64.0, 38.0])])
    store_colours(photo_ids=[photo.pk for photo in Photo.objects.all()])
    assert found("color:blue", owner) == [sea.pk]
    assert found("colour:#c81e28", owner) == [rose.pk]
    assert found("color:green", owner) == []


def test_what_is_and_what_it_has(owner):
    best = make_photo(is_screenshot=True, state="partial")
    copy = make_photo(duplicate_of=best)
    written = make_photo()
    add_text(written, "hello")
    add_text(best, "")
    Favourite.objects.create(user=owner, photo=written)
    Favourite.objects.create(user=make_user(), photo=best)
    for text, photo in {
        "is:screenshot": best, "is:failed": best, "is:duplicate": best, "is:favourite": written,
        "has:text": written,
    }.items():  # fmt: skip
        assert found(text, owner) == [photo.pk], text
    assert found("show:duplicates is:duplicate", owner) == [copy.pk, best.pk]
    assert found("-show:duplicates is:duplicate", owner) == [best.pk]
    assert found("has:video or has:people", owner) == []


def test_folders_are_below_roots_one_may_see(owner):
    family, closed = make_root(name="Family"), make_root(name="Closed")
    closed.visible_to.add(owner)
    member = make_user()
    trip = make_photo("2019/Trip/a.jpg", root=family)
    trips = make_photo("2019/Trips/b.jpg", root=family)
    deep = make_photo("x" * 150 + "/" + "y" * 150 + "/c.jpg", root=family)
    make_file(trips, "Secret/b.jpg", root=closed)
    make_file(trip, "Gone/a.jpg", root=family, missing_since=trip.taken_at)
    assert found('folder:"2019/trip"', member) == [trip.pk]
    assert found("folder:/2019/", member) == [trips.pk, trip.pk]
    assert found('folder:"family/2019"', member) == [trips.pk, trip.pk]
    assert found(f"folder:{'x' * 150}/{'y' * 150}", member) == [deep.pk]
    assert found("folder:gone", member) == found("folder:200_", member) == []
    for secret in ("folder:secret", "folder:closed", "folder:closed/secret"):
        assert found(secret, member) == []
        assert found(secret, owner) == [trips.pk]


def test_places_by_city_region_or_country(owner):
    paris = Place.objects.create(city="Paris", region="Île-de-France", country="France")
    photo = make_photo(place=paris)
    make_photo()
    for text in ("place:paris", "place:france", 'place:"ile de france"'):
        assert found(text, owner) == [photo.pk], text
    assert found("place:rome", owner) == []
    assert "called “rome”" in notices("place:rome", owner)


def test_names_of_hidden_photos_are_told_to_nobody(owner):
    closed, member = make_root(), make_user()
    closed.visible_to.add(owner)
    place = Place.objects.create(city="Zermatt", region="Valais", country="Switzerland")
    hidden = make_photo("a.jpg", root=closed, place=place)
    name_in(hidden, "Zoe")
    make_photo("b.jpg", root=make_root())
    for text, notice in (
        ("person:zoe", "Nobody is called “zoe”."),
        ("place:zermatt", "a place called “zermatt”"),
    ):
        assert found(text, owner) == [hidden.pk]
        assert notices(text, owner) == ""
        assert found(text, member) == []
        assert notice in notices(text, member)


def name_in(photo, name):
    say(add_face(photo), Person.objects.create(name=name))


def test_alternatives_of_words_and_fields_in_groups(owner, no_embedder):
    cat, dog, both = make_photo(title="cat on a sofa"), make_photo(title="dog"), make_photo(title="cat")
    add_tag(both, "indoor")
    index_photos([cat.pk, dog.pk, both.pk])
    assert set(found("(cat sofa) or dog", owner)) == {cat.pk, dog.pk}
    assert set(found("(cat -tag:indoor) or dog", owner)) == {cat.pk, dog.pk}
    assert found("cat -(sofa or dog)", owner) == [both.pk]
    assert set(found("dog or -cat", owner)) == {dog.pk}
