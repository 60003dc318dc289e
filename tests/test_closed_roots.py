"""A walk through everything a member can open: nothing tells of a root that is closed to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from library.actions.albums import create_album
from library.models import Album, AuditEvent, Photo, Place, Root
from library.tests.conftest import member, member_client, owner, owner_client  # noqa: F401 - fixtures
from library.tests.factories import add_tag, add_text, make_file, make_photo, make_root, make_space
from people.actions.answers import confirm
from people.models import FaceCluster, ImportedName, PeopleEvent, Suggestion
from people.tests.factories import add_face, make_person
from search import caching, lexicon, library_words
from search.indexing import index_photos
from search.models import HistoryEntry, SavedSearch

pytestmark = pytest.mark.django_db
#: Every secret of the closed root begins with this.
SECRET = "zebul"  # noqa: S105 - no password
TYPED = ("", "ze", "zeb", "zebu", "cat", "receipt", "person:zeb", "album:zeb", "tag:zeb", "camera:zeb")
QUERIES = ("zebu", "zebulan", "show:duplicates", "has:faces")


@pytest.fixture
def open_photo() -> Photo:
    photo = make_photo("Holidays/beach.jpg", root=make_root(name="Family"), camera_model="Nikon")
    add_tag(photo, "cat")
    return photo


@pytest.fixture
def closed(owner: Any, open_photo: Photo) -> Root:  # noqa: F811 - a fixture
    """A root of the owner's, with everything that a photo can have; the open photo lies there, too."""
    root = make_root(name="Zebulroot")
    root.visible_to.add(owner)
    hidden = make_photo(
        "Zebulfolder/zebulfile.jpg",
        root=root,
        camera_make="Zebulmake",
        camera_model="Zebulcamera",
        lens="Zebullens",
        title="Zebultitle",
        description="Zebuldescription",
        keywords=["zebulkeyword"],
        place=Place.objects.create(city="Zebulcity", country="Zebulland"),
    )
    add_tag(hidden, "zebultag")
    add_text(hidden, "zebultext receipt")
    person = make_person("Zebulperson")
    faces = [add_face(hidden), add_face(make_photo("Zebulfolder/b.jpg", root=root))]
    confirm(face_ids=[faces[0].pk], person=person, by=owner)
    ImportedName.objects.create(photo=hidden, person=make_person("Zebulname"), name="Zebulname", source="mwg")
    _shared_world(open_photo, root, person, faces[1])
    create_album(title="Zebulown", actor_id=owner.pk, photo_ids=[hidden.pk])
    Album.objects.create(title="Zebulimported", source="takeout").add([hidden.pk, open_photo.pk])
    SavedSearch.objects.create(owner=owner, name="Zebulsaved", query="zebulquery")
    SavedSearch.objects.create(
        owner=owner, name="Everything", query="show:duplicates", shared=True, is_album=True
    )
    HistoryEntry.objects.create(user=owner, query="zebulhistory", at=timezone.now())
    index_photos(Photo.objects.values_list("pk", flat=True))
    library_words.count()
    return root


def _shared_world(photo: Photo, root: Root, person: Any, alike: Any) -> None:
    """What is open and closed at once: a photo with a file in both, and a group with a face in each."""
    make_file(photo, "Zebulfolder/zebulcopy.jpg", root=root)
    face = add_face(photo)
    group = FaceCluster.objects.create(space=make_space("face", 4), key="1", size=2)
    type(face).objects.filter(pk__in=[face.pk, alike.pk]).update(cluster=group)
    values = {"similarity": 0.5, "margin": 0.1, "probability": 0.6, "rank": 1}
    Suggestion.objects.create(face=face, person=person, reasons=[{"text": "with Zebulperson"}], **values)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    caching.forget()
    lexicon.forget()
    library_words.forget()


def addresses(photo: Photo) -> Iterator[str]:
    """All that can be opened, with what could be guessed."""
    yield from ("/", "/albums", "/searches", "/people/", "/people/?hidden", "/people/review")
    yield from (
        "/people/review?view=grid",
        "/people/others",
        "/people/history",
        "/status/",
        "/status/progress",
    )
    yield from ("/api/stats", "/duplicates", f"/photo/{photo.pk}", "/search", f"/search?like={photo.pk}")
    yield from (f"/search/suggest?q={typed}" for typed in TYPED)
    for query in QUERIES:
        yield from (f"/search?q={query}", f"/search?q={query}&view=list&weaker=1", f"/api/search?q={query}")
        yield from (f"/search/facets?q={query}", f"/search/export?format=csv&q={query}")
        yield f"/search/export?format=json&q={query}"
    yield from (f"/albums/{album.pk}" for album in Album.objects.all())
    yield from (f"/searches/{saved.pk}/card" for saved in SavedSearch.objects.all())


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code < 500, address
    return (
        response.getvalue().decode("utf-8", "replace").lower()
        if "image" not in response["Content-Type"]
        else ""
    )


def test_nothing_tells_of_a_closed_root(
    member_client: Client,  # noqa: F811 - a fixture
    owner_client: Client,  # noqa: F811 - a fixture
    open_photo: Photo,
    closed: Root,
) -> None:
    told = 0
    for address in addresses(open_photo):
        if "q=" in address:  # what was found for an owner is remembered for nobody else
            told += SECRET in text_of(owner_client, address)
        html = text_of(member_client, address)
        place = html.find(SECRET)
        while place >= 0 and html[place:].startswith("zebulan"):  # what was typed itself
            place = html.find(SECRET, place + 1)
        assert place < 0, f"{address}: {html[max(0, place - 200) : place + 60]}"
    assert told > 15


def test_keys_of_a_closed_root_lead_nowhere(
    member_client: Client,  # noqa: F811 - a fixture
    owner_client: Client,  # noqa: F811 - a fixture
    closed: Root,
) -> None:
    photo = Photo.objects.get(title="Zebultitle")
    face = photo.faces.get()
    keys = {
        "photo": (
            f"/photo/{photo.pk}",
            f"/search?like={photo.pk}",
            f"/search/export?format=csv&like={photo.pk}",
        ),
        "face": (f"/search?face={face.pk}", f"/search/facets?face={face.pk}"),
        "person": (f"/people/{face.person_id}", f"/people/{face.person_id}/faces"),
        "album": (f"/albums/{Album.objects.get(title='Zebulown').pk}",),
    }
    for address in (address for several in keys.values() for address in several):
        assert owner_client.get(address).status_code == 200, address
        assert member_client.get(address).status_code == 404, address
    saved = SavedSearch.objects.get(name="Zebulsaved").pk
    entry, event = HistoryEntry.objects.get().pk, PeopleEvent.objects.get().pk
    album = Album.objects.get(title="Zebulimported").pk
    forms = [f"/photo/{photo.pk}/favourite", f"/photo/{photo.pk}/face", f"/people/{face.person_id}/edit"]
    forms += [f"/people/{face.person_id}/merge", f"/people/{face.person_id}/not-same"]
    forms += [f"/searches/{saved}/change", f"/searches/{saved}/delete", f"/searches/history/{entry}/forget"]
    forms += [f"/albums/{album}/{deed}" for deed in ("rename", "delete", "remove")]
    forms += [f"/people/events/{event}/undo", f"/albums/undo/{AuditEvent.objects.get().pk}"]
    for address in forms:
        assert member_client.post(address, {"title": "x", "name": "x"}).status_code == 404, address
    values = {"faces": str(face.pk), "verdict": "name", "name": "Max", "place": "question"}
    assert "Max" not in text_after(member_client, "/people/answer", values)
    assert face.person == type(face).objects.get(pk=face.pk).person


def text_after(client: Client, address: str, values: dict[str, str]) -> str:
    return client.post(address, values, follow=True).content.decode()
