"""The filters beside the results: their numbers, whose they are, and what choosing one does."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import Category, Favourite, VideoPart
from library.tests.factories import add_tag, add_text, make_file, make_photo, make_root, make_user
from library.tests.pages import assert_sound
from people.models import ImportedName, Person
from people.tests.factories import add_face, say
from search.facets import facets
from search.found import Asked
from search.indexing import index_photos

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    make_root()
    user = make_user("member")
    client.force_login(user)
    return user


def closed_root():
    root = make_root()
    root.visible_to.add(make_user())
    return root


def numbers(choices):
    return {choice.label: choice.count for choice in choices}


def chosen(choices):
    return [choice.label for choice in choices if choice.chosen]


def categorised(photo, name):
    category, _ = Category.objects.get_or_create(slug=name.lower(), defaults={"name": name})
    add_tag(photo, f"{name} thing", category=category)
    add_tag(photo, f"another {name} thing", category=category)


def name_face(photo, name):
    person, _ = Person.objects.get_or_create(name=name)
    say(add_face(photo), person)
    return person


def test_categories_are_counted_by_photos_and_without_their_own_restriction(member):
    both, food, pets = make_photo(), make_photo(), make_photo()
    for photo, name in ((both, "Food"), (both, "Pets"), (food, "Food"), (pets, "Pets")):
        categorised(photo, name)
    found = facets(Asked("category:food"), member)
    assert found.total == 2
    assert numbers(found.categories) == {"Food": 2, "Pets": 2}
    assert chosen(found.categories) == ["Food"]


def test_other_facets_are_counted_over_what_was_found(member):
    make_photo("a/1.jpg", camera_make="Canon", camera_model="Canon EOS 5D", format="JPEG")
    make_photo("a/2.jpg", camera_make="Canon", camera_model="Canon EOS 5D Mark II", format="MPO")
    make_photo("b/c/3.jpg", camera_make="Apple", camera_model="iPhone 8", format="HEIF", latitude=1.0)
    found = facets(Asked("format:jpg"), member)
    assert numbers(found.cameras) == {"Canon EOS 5D": 2, "Canon EOS 5D Mark II": 1}
    assert numbers(found.formats) == {"JPEG": 2, "HEIC": 1}
    assert chosen(found.formats) == ["JPEG"]
    assert numbers(found.folders) == {"a": 2}
    assert numbers(facets(Asked('camera:"Canon EOS 5D"'), member).cameras)["Apple iPhone 8"] == 1


def test_every_number_is_what_choosing_it_finds(member):
    for number in range(12):
        photo = make_photo(
            f"f{number % 3}/x/{number}.jpg",
            width=[6000, 800, 1000, 5000][number % 4],
            height=[4000, 1200, 1000, 1000][number % 4],
            format=["JPEG", "HEIF", "CR2"][number % 3],
            camera_model=["Pixel 7", "EOS"][number % 2],
            latitude=1.0 if number % 2 else None,
            is_screenshot=number % 5 == 0,
            taken_local=datetime(2015 + number % 4, 1 + number, 3, tzinfo=UTC),
        )
        if number % 3 == 0:
            add_text(photo, "words")
            VideoPart.objects.create(photo=photo, kind="motion")
            Favourite.objects.create(user=member, photo=photo)
        if number % 2 == 0:
            add_face(photo)
    found = facets(Asked("after:2000"), member)
    for name in ("cameras", "formats", "sizes", "shapes", "kinds", "marks", "folders"):
        choices = getattr(found, name)
        assert choices, name
        field = {"cameras": "camera", "formats": "format", "sizes": "size", "shapes": "orientation"}
        field |= {"kinds": "has", "marks": "is", "folders": "folder"}
        for choice in choices:
            text = f'after:2000 {field[name]}:"{choice.value}"'
            assert facets(Asked(text), member).total == choice.count, text
    for bar in found.bars:
        assert facets(Asked(f"year:{bar.label}"), member).total == bar.count


def test_years_stand_side_by_side_and_open_into_months(member):
    for day in ("2015-03-01", "2015-07-01", "2015-07-09", "2018-01-01"):
        make_photo(taken_local=datetime.fromisoformat(day).replace(tzinfo=UTC))
    found = facets(Asked(""), member)
    assert [(bar.label, bar.count) for bar in found.bars] == [
        ("2015", 3), ("2016", 0), ("2017", 0), ("2018", 1)
    ]  # fmt: skip
    assert found.bars[0].height == 100
    assert "q=year%3A2015" in found.bars[0].url
    inside = facets(Asked("year:2015"), member)
    assert [bar.count for bar in inside.bars] == [0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0]
    assert "date%3A2015-07" in inside.bars[6].url
    assert inside.any_date == "/search"
    july = facets(Asked("date:2015-07"), member)
    assert [bar.label for bar in july.bars if bar.chosen] == ["Jul"]
    assert july.bars[2].count == 1, "months are counted without the month that is chosen"


def test_people_who_must_all_be_there_are_counted_together(member):
    both, anna, ben = make_photo(), make_photo(), make_photo()
    for photo, name in ((both, "Anna"), (anna, "Anna"), (ben, "Ben")):
        name_face(photo, name)
    face = add_face(both, x=0.7)
    say(face, Person.objects.get(name="Ben"))
    assert numbers(facets(Asked(""), member).people) == {"Anna": 2, "Ben": 2}
    assert numbers(facets(Asked("person:anna"), member).people) == {"Anna": 2, "Ben": 1}
    either = facets(Asked("person:anna or person:ben"), member)
    assert (either.people_mode, numbers(either.people)) == ("any", {"Anna": 2, "Ben": 2})
    none = facets(Asked("-person:anna"), member)
    assert (none.people_mode, none.total, chosen(none.people)) == ("none", 1, ["Anna"])


def test_people_are_who_they_are_now(member):
    photo, told = make_photo(), make_photo()
    anna = name_face(photo, "Anna")
    merged = Person.objects.create(name="Annie", merged_into=anna)
    ImportedName.objects.create(photo=told, person=merged, name="Annie", source="takeout")
    assert numbers(facets(Asked(""), member).people) == {"Anna": 2}


def test_hidden_people_are_no_choice(member):
    person = name_face(make_photo(), "Anna")
    person.hidden = True
    person.save()
    assert facets(Asked(""), member).people == []


def test_folders_are_a_tree(member):
    for path in ("2019/trip/a.jpg", "2019/trip/b.jpg", "2019/home/c.jpg", "top.jpg", "2020/d.jpg"):
        make_photo(path)
    top = facets(Asked("after:2000"), member)
    assert numbers(top.folders) == {"2019": 3, "2020": 1}
    inside = facets(Asked("after:2000 folder:2019"), member)
    assert numbers(inside.folders) == {"home": 1, "trip": 2}
    assert [folder.label for folder in inside.parents] == ["All folders", "2019"]
    assert "folder%3A2019%2Ftrip" in inside.folders[1].url


def test_nothing_hidden_is_counted_or_named(member):
    root = closed_root()
    seen = make_photo("open/a.jpg")
    make_file(seen, "Secret folder/a.jpg", root=root)
    hidden = make_photo("Secret folder/b.jpg", root=root, camera_model="Secret cam", format="SECRET")
    categorised(hidden, "Secret")
    name_face(hidden, "Secret Agent")
    found = facets(Asked(""), member)
    assert found.total == 1
    assert "ecret" not in repr(found)
    asked = facets(Asked('person:"secret agent" camera:"secret cam" folder:"secret folder"'), member)
    assert "Secret" not in repr(asked), "not even how it is written"


def test_duplicates_are_collapsed_or_shown(member):
    front = make_photo()
    make_photo(duplicate_of=front)
    found = facets(Asked(""), member)
    assert (found.total, found.duplicates, found.shows_duplicates) == (1, 1, False)
    shown = facets(Asked("show:duplicates"), member)
    assert (shown.total, shown.shows_duplicates) == (2, True)


def test_ranked_results_are_counted_as_far_as_they_are_found(member, no_embedder):
    photos = [make_photo("x/beach.jpg", camera_model="Pixel"), make_photo("y/city.jpg", camera_model="EOS")]
    index_photos([photo.pk for photo in photos])
    found = facets(Asked("beach"), member)
    assert found.total == 1
    assert numbers(found.cameras) == {"Pixel": 1}
    assert numbers(facets(Asked("beach camera:eos"), member).cameras) == {"Pixel": 1, "eos": 0}


def test_the_form_becomes_text(client, member):
    categorised(make_photo(), "Food")
    values = {"q": "beach", "facet": ["category", "has", "date"], "category": ["food", "pets"]}
    response = client.get("/search/refine", values | {"has": ["gps"], "from": "2019-05-01", "to": "x"})
    assert response.status_code == 302
    assert response.url == "/search?q=beach+category%3Afood+or+category%3Apets+has%3Agps+after%3A2019-05-01"


def test_a_facet_the_form_does_not_hold_stays(client, member):
    response = client.get("/search/refine", {"q": "camera:eos beach", "facet": "category", "view": "list"})
    assert response.url == "/search?q=camera%3Aeos+beach&view=list"


def test_the_panel_is_a_fragment_and_a_page(client, member):
    photo = make_photo("2019/a.jpg", camera_model='A "cam" <b>')
    categorised(photo, "Food")
    name_face(photo, "Anna")
    page = assert_sound(client.get("/search/facets", {"q": "category:food after:2000"}))
    assert re.search(r'name="category" value="food" checked', page)
    assert "Show the photos" in page
    response = client.get("/search/facets", {"q": "category:food"}, headers={"HX-Request": "true"})
    assert "<html" not in response.content.decode()
    assert "HX-Request" in response["Vary"]
    assert "/search/facets" in assert_sound(client.get("/search", {"q": "category:food"}))


def test_the_number_of_statements_does_not_grow_with_photos(client, member):
    def queries(text):
        with CaptureQueriesContext(connection) as context:
            client.get("/search/facets", {"q": text})
        return len(context)

    def fill(numbers):
        for number in numbers:
            photo = make_photo(f"f{number}/a{number}/x.jpg", camera_model=f"Cam {number}")
            categorised(photo, f"Category{number}")
            name_face(photo, f"Person {number}")

    text = "category:category1 camera:cam after:2000"
    fill(range(10))
    few = queries(""), queries(text)
    fill(range(10, 40))
    assert (queries(""), queries(text)) == few
    assert few[1] <= 45
