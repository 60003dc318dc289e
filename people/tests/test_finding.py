"""Photos of people by the names a user may know."""

from __future__ import annotations

from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo, make_root
from people.actions.answers import confirm, reject
from people.actions.merge import merge
from people.finding import faces_of, names_for, names_without_faces
from people.models import ImportedName, Person
from people.tests.factories import add_face, make_person, say

pytestmark = pytest.mark.django_db


def test_people_are_found_as_they_are_now(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=ben, by=member)
    other = make_photo()
    ImportedName.objects.create(photo=other, person=ben, name="Ben", source="iptc")
    merge(into=anna, others=[ben], by=member)
    assert names_for(member) == [(anna.pk, "Anna"), (anna.pk, "Ben")]
    assert [one.photo for one in faces_of([anna.pk])] == [photo]
    assert [one.photo for one in names_without_faces([anna.pk])] == [other]
    reject(face_ids=[face.pk], person=anna, by=member, overrule=True)
    assert not faces_of([anna.pk]).exists()


def test_names_of_closed_roots_and_of_hidden_people_are_not_told(
    photo: Photo, anna: Person, ben: Person, owner: Any, member: Any
) -> None:
    root = make_root()
    root.visible_to.add(owner)
    say(add_face(photo), anna)
    say(add_face(make_photo(root=root)), ben)
    say(add_face(make_photo()), make_person("Cleo", hidden=True))
    assert names_for(member) == [(anna.pk, "Anna")]
    assert names_for(owner) == [(anna.pk, "Anna"), (ben.pk, "Ben")]
