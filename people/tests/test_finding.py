"""Photos of people and the names they are found by, as they are now."""

from __future__ import annotations

from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo
from people.actions.answers import confirm, reject
from people.actions.merge import merge
from people.finding import known_names, people_by_photo, photos_of, photos_with_somebody
from people.models import ImportedName, Person
from people.tests.factories import add_face, make_person, say

pytestmark = pytest.mark.django_db


def photos(found: Any) -> set[int]:
    return {row["photo"] for row in found}


def test_people_are_found_as_they_are_now(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=ben, by=member)
    other = make_photo()
    ImportedName.objects.create(photo=other, person=ben, name="Ben", source="iptc")
    merge(into=anna, others=[ben], by=member)
    assert known_names() == [(anna.pk, "Anna"), (anna.pk, "Ben")]
    assert photos(photos_of([anna.pk])) == {photo.pk, other.pk}
    assert set(people_by_photo()) == {(photo.pk, anna.pk), (other.pk, anna.pk)}
    reject(face_ids=[face.pk], person=anna, by=member, overrule=True)
    assert photos(photos_of([anna.pk])) == {other.pk}


def test_hidden_people_have_no_name_and_no_photo(photo: Photo, anna: Person, ben: Person) -> None:
    say(add_face(photo), anna)
    say(add_face(make_photo()), make_person("Cleo", hidden=True))
    Person.objects.filter(pk=ben.pk).update(removed=True)
    make_person("Clea", merged_into=Person.objects.get(name="Cleo"))
    assert known_names() == [(anna.pk, "Anna")]
    assert photos(photos_with_somebody()) == {photo.pk}
