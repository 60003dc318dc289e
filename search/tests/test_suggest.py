"""What is suggested while somebody types, and to whom."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.models import Album, Category, Place
from library.tests.factories import add_tag, add_text, make_photo, make_root, make_user
from people.models import Person
from people.tests.factories import add_face, say
from search import lexicon, library_words
from search.indexing import index_photos
from search.query import parse
from search.suggest import suggestions

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(django_capture_on_commit_callbacks):
    """Photos with everything that has a name; returns a function that adds one more, in a root."""

    def add(name, root):
        place = Place.objects.create(city=f"{name}ville")
        camera = {"camera_make": "Pix", "camera_model": f"{name}cam 7"}
        photo = make_photo(
            f"{name}folder/{name}file.jpg", root=root, title=f"{name}title", place=place, **camera
        )
        add_tag(photo, f"{name}tag", category=Category.objects.create(slug=name, name=f"{name}drawer"))
        add_text(photo, f"{name}text")
        person = Person.objects.create(name=f"{name.title()} Smith")
        say(add_face(photo), person, source="imported")
        Album.objects.create(title=f"{name}trip 2019").add([photo.pk])
        with django_capture_on_commit_callbacks(execute=True):
            index_photos([photo.pk])
        library_words.count()
        lexicon.forget()
        return photo

    return add


def texts(typed, user):
    return [suggestion.query for suggestion in suggestions(typed, user)]


def test_every_kind_of_name_is_suggested(library, owner):
    library("zeb", make_root())
    assert texts("zeb", owner)[:6] == [
        'person:"Zeb Smith"',
        "place:zebville",
        'album:"zebtrip 2019"',
        "tag:zebtag",
        "category:zebdrawer",
        'camera:"Pix zebcam 7"',
    ]
    assert texts("zebf", owner) == ["zebfile", "zebfolder"]


def test_a_hidden_name_is_suggested_to_nobody_who_may_not_see_it(library, owner):
    member, closed = make_user(), make_root()
    closed.visible_to.add(owner)
    library("zeb", closed)
    assert len(texts("zeb", owner)) > 6
    assert texts("zeb", member) == []
    assert texts("person:z", member) == texts("tag:", member) == []
    library("zeb2", make_root())
    assert texts("zeb", member)[:6] == [
        'person:"Zeb2 Smith"',
        "place:zeb2ville",
        'album:"zeb2trip 2019"',
        "tag:zeb2tag",
        "category:zeb2drawer",
        'camera:"Pix zeb2cam 7"',
    ]


def test_names_of_files_that_lie_in_a_hidden_root_too_are_not_told(library, owner):
    member, closed = make_user(), make_root()
    closed.visible_to.add(owner)
    photo = library("zeb", make_root())
    assert "zebfolder" in texts("zebf", member)
    photo.files.create(
        root=closed, relative_path=b"x", display_path="x", size=1, mtime_ns=1, seen_at=photo.taken_at
    )
    assert "zebfolder" not in texts("zebf", member)
    assert "zebtitle" in texts("zebt", member)
    assert 'album:"zebtrip 2019"' not in texts("zebtr", member)


def test_every_suggestion_finds_something(library, owner):
    from search.hybrid import search

    photo = library("zeb", make_root())
    for query in texts("zeb", owner):
        found = search(parse(query), owner, mode="keyword")
        assert [hit.photo_id for hit in found.hits] == [photo.pk], query


def test_what_stands_before_stays(library, owner):
    library("zeb", make_root())
    assert texts("year:2019 -zebta", owner) == ["year:2019 -tag:zebtag"]
    assert texts('"two words" person:"zeb sm', owner) == ['"two words" person:"Zeb Smith"']
    assert texts("beach zeb smi", owner) == ['beach person:"Zeb Smith"']
    assert texts("smith", owner)[0] == 'person:"Zeb Smith"'


def test_fields_are_suggested_with_what_they_are_for(owner):
    found = {suggestion.query: suggestion for suggestion in suggestions("cat or ca", owner)}
    assert set(found) == {"cat or category:", "cat or camera:"}
    assert found["cat or camera:"].open
    assert texts("is:", owner)[:2] == ["is:favourite", "is:duplicate"]
    assert texts("colour:b", owner) == ["color:blue", "color:brown", "color:beige", "color:black"]


@pytest.mark.parametrize(
    "typed", ["", " ", "cat ", '"cat', "nobody", "cat:", "-", "(", "a:b:c", "'", "%", "\\"]
)
def test_often_there_is_nothing_to_suggest(owner, typed):
    assert suggestions(typed, owner) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_too_strange(owner, text):
    suggestions(text, owner)


def test_the_answer_is_a_list_for_a_combobox(client, library, owner):
    library("zeb", make_root())
    assert client.get("/search/suggest?q=zeb").status_code == 302
    client.force_login(owner)
    response = client.get("/search/suggest?q=zebta")
    html = response.content.decode()
    assert 'role="listbox"' in html and "<html" not in html
    assert 'role="option" id="suggestion-1"' in html and 'data-query="tag:zebtag"' in html
    assert "private" in response["Cache-Control"]
    assert "<script" not in client.get("/search/suggest", {"q": "<script>\0"}).content.decode()


def test_the_number_of_queries_does_not_grow(library, owner, django_assert_num_queries):
    member, closed = make_user(), make_root()
    closed.visible_to.add(owner)
    root = make_root()
    for name in ("zeba", "zebb"):
        library(name, root)
    suggestions("z", member)
    with django_assert_num_queries(4):
        suggestions("ze", member)
    for name in ("zebc", "zebd", "zebe"):
        library(name, root)
    suggestions("z", member)
    with django_assert_num_queries(4):
        assert len(suggestions("ze", member)) == 10


def test_an_empty_album_is_suggested_to_owners_only(library, owner):
    member = make_user("member")
    library("zeb", make_root())
    Album.objects.create(title="Zebsurprise", created_by=owner)
    lexicon.forget()
    assert "album:Zebsurprise" in texts("zebs", owner)
    assert texts("zebs", member) == []
    assert 'album:"zebtrip 2019"' in texts("zebt", member)
