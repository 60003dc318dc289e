"""``people``: what the pages do, from the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from library.models import Photo
from library.tests.factories import make_photo
from people.actions.answers import confirm
from people.actions.persons import edit
from people.models import Face, Person
from people.tests.factories import add_face, make_person

pytestmark = pytest.mark.django_db


def call(*args: str) -> str:
    out = StringIO()
    call_command("people", *args, stdout=out, stderr=out)
    return out.getvalue()


def data(*args: str) -> Any:
    return json.loads(call(*args, "--json").partition("\n\x00")[0])


@pytest.fixture
def face(anna: Person, photo: Photo, member: Any) -> Face:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    return face


def test_everybody_is_listed_with_the_number_of_photos(anna: Person, ben: Person, face: Face) -> None:
    Person.objects.filter(pk=ben.pk).update(hidden=True)
    assert [(row["name"], row["photos"]) for row in data("list")] == [("Anna", 1)]
    assert [row["name"] for row in data("list", "--all")] == ["Anna", "Ben"]
    assert "1 photos  Anna" in call("list")


def test_a_person_is_shown_by_name_or_number(anna: Person, face: Face, member: Any) -> None:
    edit(person=anna, notes="Aunt", by=member)
    shown = data("show", "ANNA")
    assert shown == data("show", str(anna.pk))
    assert [row["face"] for row in shown["faces"]] == [face.pk]
    assert [row["what"] for row in shown["events"]] == ["edited", "confirmed"]
    text = call("show", "Anna")
    assert f"face {face.pk} in photo {face.photo_id}" in text and "notes: Aunt" in text
    with pytest.raises(CommandError, match="Nobody is called “Zoe”"):
        call("show", "Zoe")
    make_person("anna")
    with pytest.raises(CommandError, match="by its number"):
        call("show", "Anna")


def test_people_are_merged_and_unmerged(anna: Person, ben: Person, face: Face) -> None:
    assert data("merge", "Ben", "Anna", "--dry-run") == {"into": ben.pk, "conflicts": [], "event": None}
    merged = data("merge", "Ben", "Anna")
    assert list(ben.faces.all()) == [face]
    data("undo", str(merged["event"]))
    assert list(anna.faces.all()) == [face]
    with pytest.raises(CommandError, match="taken back already"):
        call("undo", str(merged["event"]))


def test_conflicts_are_told_and_overruled(anna: Person, ben: Person, face: Face, member: Any) -> None:
    confirm(face_ids=[add_face(face.photo, x=0.05).pk], person=ben, by=member)
    with pytest.raises(CommandError, match="another face of Ben"):
        call("merge", "Ben", "Anna")
    assert "ask: 1 photo with another face" in call("merge", "Ben", "Anna", "--overrule")
    assert not anna.faces.exists()


def test_faces_are_split_off(anna: Person, ben: Person, face: Face, member: Any) -> None:
    other = add_face(make_photo())
    confirm(face_ids=[other.pk], person=anna, by=member)
    made = data("split", "Anna", str(other.pk), "--name", "Bea")
    assert Person.objects.get(pk=made["person"]).name == "Bea"
    call("split", "Anna", str(face.pk), "--into", "Ben")
    assert list(ben.faces.all()) == [face]
    with pytest.raises(CommandError, match="either --name or --into"):
        call("split", "Ben", str(face.pk))


def test_faces_are_brought_in_line_after_sql_by_hand(face: Face) -> None:
    Face.objects.update(person=None, person_source="")
    assert data("repair") == {"changed": 1}
    assert data("repair") == {"changed": 0}
