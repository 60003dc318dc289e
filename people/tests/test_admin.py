"""The owner merges in the admin, after a look at what speaks against it, and undoes in the list of events."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from library.models import Photo
from library.tests.factories import make_photo, make_user
from people.actions.answers import confirm
from people.actions.persons import create_person
from people.models import PeopleEvent, Person
from people.tests.factories import add_face, make_person

pytestmark = pytest.mark.django_db

PEOPLE = reverse("admin:people_person_changelist")
EVENTS = reverse("admin:people_peopleevent_changelist")


@pytest.fixture
def client(owner: Any) -> Client:
    browser = Client()
    browser.force_login(owner)
    return browser


def act(client: Client, url: str, action: str, *keys: int, **more: str) -> str:
    data = {"action": action, "_selected_action": [str(key) for key in keys], **more}
    return client.post(url, data, follow=True).content.decode()


def test_people_are_merged_after_a_look_at_the_conflicts(
    client: Client, photo: Photo, anna: Person, ben: Person, owner: Any
) -> None:
    for person, x in ((anna, 0.1), (ben, 0.6)):
        confirm(face_ids=[add_face(photo, x=x).pk], person=person, by=owner)
    page = act(client, PEOPLE, "merge", anna.pk, ben.pk)
    assert "Whose name and cover stay?" in page
    assert "1 photo with another face of Anna in it" in page
    assert reverse("library:photo", args=[photo.pk]) in page
    page = act(client, PEOPLE, "merge", anna.pk, ben.pk, into=str(ben.pk), merge="Merge")
    assert "another face of Ben" in page and Person.objects.active().count() == 2
    page = act(client, PEOPLE, "merge", anna.pk, ben.pk, into=str(ben.pk), merge="Merge", overrule="yes")
    assert "Anna: merged into Ben." in page
    assert Person.objects.active().get() == ben
    event = PeopleEvent.objects.get(kind="merge")
    assert event.by == owner
    assert "1 taken back." in act(client, EVENTS, "undo", event.pk)
    assert Person.objects.active().count() == 2
    assert "taken back already" in act(client, EVENTS, "undo", event.pk)


def test_one_person_alone_is_not_merged(client: Client, anna: Person) -> None:
    merged = make_person("Annie", merged_into=anna)
    assert "Choose two people or more" in act(client, PEOPLE, "merge", anna.pk, merged.pk)


def test_several_events_are_undone_the_latest_first(client: Client, photo: Photo, owner: Any) -> None:
    event = create_person(name="Cleo", by=owner)
    assert event.person is not None
    later = confirm(face_ids=[add_face(photo).pk], person=event.person, by=owner)
    assert "2 taken back." in act(client, EVENTS, "undo", event.pk, later.pk)
    assert not Person.objects.active().exists()


def test_staff_who_is_no_owner_cannot(photo: Photo, anna: Person, ben: Person) -> None:
    browser = Client()
    browser.force_login(make_user("eve", is_staff=True))
    assert browser.post(PEOPLE, {"action": "merge", "_selected_action": [anna.pk, ben.pk]}).status_code == 403


@pytest.mark.parametrize("url", [PEOPLE, EVENTS, reverse("admin:people_face_changelist")])
def test_lists_cost_the_same_for_ten_rows_and_for_a_hundred(
    client: Client, owner: Any, url: str, django_assert_num_queries: Any
) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            face = add_face(make_photo())
            create_person(name="Somebody", face_ids=[face.pk], by=owner)

    fill(2)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    fill(10)
    with django_assert_num_queries(len(few)):
        client.get(url)
