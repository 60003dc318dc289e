"""Names that other programs gave: on faces when there are faces, waiting when there are none."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import Photo
from library.tests.factories import make_photo
from people.actions.names import import_names, name_faces
from people.models import Face, FaceLabel, ImportedName, Person
from people.tests.factories import add_face, say
from vision.imaging.regions import NamedPerson
from vision.results import Box

pytestmark = pytest.mark.django_db

HERE = Box(0.4, 0.2, 0.2, 0.3)
THERE = Box(0.05, 0.1, 0.2, 0.3)


@pytest.fixture
def photo() -> Photo:
    return make_photo()


def named(photo: Photo, *people: tuple[str, Box | None]) -> None:
    import_names(named={photo.pk: [NamedPerson(name, box, "mwg") for name, box in people]})


def labels(face: Face) -> list[tuple[str, str, str]]:
    found = face.labels.order_by("pk")
    return [(label.person.name, label.verdict, label.source) for label in found]


def said(face: Face, name: str, verdict: str = "confirmed", source: str = "human_confirmed") -> None:
    person, _ = Person.objects.get_or_create(name=name)
    say(face, person, verdict, source=source)


def test_a_face_at_the_place_gets_the_name(photo: Photo) -> None:
    face, other = add_face(photo), add_face(photo, x=0.05)
    named(photo, ("Anna", HERE))
    assert labels(face) == [("Anna", "confirmed", "imported")]
    assert labels(other) == []
    assert ImportedName.objects.get().face == face


def test_a_name_waits_for_its_face(photo: Photo) -> None:
    named(photo, ("Anna", HERE))
    assert not FaceLabel.objects.exists()
    face = add_face(photo)
    assert name_faces(photo_ids=[photo.pk]) == 1
    assert labels(face) == [("Anna", "confirmed", "imported")]


def test_reading_again_says_it_once(photo: Photo) -> None:
    face = add_face(photo)
    for _ in range(3):
        named(photo, ("Anna", HERE))
    assert len(labels(face)) == 1
    assert ImportedName.objects.count() == 1
    assert Person.objects.count() == 1


def test_neighbours_are_told_apart_and_nobody_gets_two_names(photo: Photo) -> None:
    left, right = add_face(photo, x=0.3), add_face(photo, x=0.4)
    named(photo, ("Right", Box(0.41, 0.2, 0.2, 0.3)), ("Left", Box(0.31, 0.2, 0.2, 0.3)))
    assert [name for name, *_ in labels(left)] == ["Left"]
    assert [name for name, *_ in labels(right)] == ["Right"]


def test_people_are_known_by_name_whatever_the_case(photo: Photo) -> None:
    anna = Person.objects.create(name="Anna")
    Person.objects.create(name="anna")
    named(photo, ("ANNA", HERE), ("ben", THERE), ("Ben", None))
    assert Person.objects.count() == 3
    assert ImportedName.objects.get(name="ANNA").person == anna


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("Ben", "confirmed", "human_confirmed"), []),
        (("Anna", "rejected", "human_confirmed"), []),
        (("Ben", "confirmed", "model_guess"), [("Anna", "confirmed", "imported")]),
        (("Ben", "rejected", "human_confirmed"), [("Anna", "confirmed", "imported")]),
    ],
)
def test_what_a_person_said_stands(photo: Photo, before: tuple[str, str, str], after: list[Any]) -> None:
    face = add_face(photo)
    said(face, *before)
    named(photo, ("Anna", HERE))
    assert labels(face) == [before, *after]


def test_nobody_is_twice_in_a_photo(photo: Photo) -> None:
    face, other = add_face(photo), add_face(photo, x=0.05)
    said(other, "Anna")
    named(photo, ("Anna", HERE))
    assert labels(face) == []


def test_a_lone_name_is_the_lone_face(photo: Photo) -> None:
    face = add_face(photo)
    named(photo, ("Anna", None))
    assert labels(face) == [("Anna", "confirmed", "imported")]


@pytest.mark.parametrize("people", [[("Anna", None), ("Ben", None)], [("Anna", THERE)]])
def test_names_without_a_face_of_their_own_label_nobody(photo: Photo, people: Any) -> None:
    face = add_face(photo)
    named(photo, *people)
    assert labels(face) == []


def test_one_name_and_two_faces_is_a_question(photo: Photo) -> None:
    add_face(photo)
    add_face(photo, x=0.05)
    named(photo, ("Anna", None))
    assert not FaceLabel.objects.exists()


def test_many_photos_cost_as_many_queries_as_one(django_assert_num_queries: Any) -> None:
    photos = [make_photo() for _ in range(11)]
    for one in photos:
        add_face(one)
    with CaptureQueriesContext(connection) as alone:
        import_names(named={photos[0].pk: [NamedPerson("Anna", HERE, "mwg")]})
    with django_assert_num_queries(len(alone)):
        import_names(named={one.pk: [NamedPerson("Ben", HERE, "mwg")] for one in photos[1:]})
    assert FaceLabel.objects.count() == 11
