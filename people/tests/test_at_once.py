"""Two people, and the pipeline, at the same time: nobody overwrites, nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from django.db import connection, transaction

from library.tests.factories import make_photo, make_space, make_user
from people.actions.answers import assign, confirm, reject
from people.actions.detect import forget_faces, replace_faces
from people.actions.merge import merge
from people.actions.names import name_faces
from people.actions.persons import edit
from people.derivation import disagreeing
from people.models import Face, FaceLabel, ImportedName
from people.refusals import AlreadyAnswered, PeopleRefused, PersonGone, TwiceInPhoto
from people.tests.factories import add_face, make_person
from vision.results import Box, DetectedFace

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*deeds: Callable[[], object]) -> list[BaseException | None]:
    """Do all of these in threads of their own; what each ended with."""
    barrier = threading.Barrier(len(deeds))
    ends: list[BaseException | None] = [None] * len(deeds)

    def run(number: int, deed: Callable[[], object]) -> None:
        try:
            with transaction.atomic():
                barrier.wait(timeout=20)
                deed()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            ends[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return ends


def test_two_answers_to_one_face_are_one_answer_and_one_refusal() -> None:
    face, anna, ben = add_face(make_photo()), make_person("Anna"), make_person("Ben")
    ends = at_once(
        lambda: confirm(face_ids=[face.pk], person=anna, by=None),
        lambda: confirm(face_ids=[face.pk], person=ben, by=None),
    )
    assert sorted(type(end).__name__ for end in ends) == ["AlreadyAnswered", "NoneType"]
    assert FaceLabel.objects.in_force().count() == 1
    assert disagreeing() == []


def test_one_name_for_two_faces_of_a_photo_is_given_once() -> None:
    photo, anna = make_photo(), make_person("Anna")
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    ends = at_once(
        lambda: confirm(face_ids=[one.pk], person=anna, by=None),
        lambda: confirm(face_ids=[two.pk], person=anna, by=None),
    )
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "TwiceInPhoto"]
    assert anna.faces.count() == 1


def test_lots_in_opposite_order_never_wait_in_a_circle() -> None:
    faces = [add_face(make_photo()).pk for _ in range(6)]
    people = [make_person(name) for name in "ABCD"]
    orders = (faces, faces[::-1], faces[3:] + faces[:3], faces[::2] + faces[1::2])
    ends = at_once(
        *(
            lambda order=order, person=person: assign(face_ids=order, person=person, by=None)
            for order, person in zip(orders, people, strict=True)
        )
    )
    assert ends == [None] * 4
    assert disagreeing() == []
    assert set(FaceLabel.objects.in_force().values_list("face", flat=True)) == set(faces)


def test_a_merge_an_answer_and_a_birth_date_settle_one_after_the_other() -> None:
    anna, ben = make_person("Anna"), make_person("Ben")
    photo = make_photo(taken_local="1980-01-01T00:00:00Z")
    face, other = add_face(photo), add_face(make_photo())
    ends = at_once(
        lambda: merge(into=anna, others=[ben], by=None),
        lambda: confirm(face_ids=[face.pk], person=ben, by=None),
        lambda: edit(person=anna, birth_date=make_photo().taken_local.date(), by=None),  # type: ignore[union-attr]
        lambda: reject(face_ids=[other.pk], person=ben, by=None),
    )
    assert all(end is None or isinstance(end, PeopleRefused | PersonGone) for end in ends), ends
    assert disagreeing() == []
    anna.refresh_from_db()
    assert not (anna.birth_date and anna.faces.filter(pk=face.pk).exists())


def test_the_pipeline_and_people_do_not_hold_each_other_up() -> None:
    """Faces are looked at again and named by their files while somebody answers about them."""
    user, anna = make_user("olga"), make_person("Anna")
    photos = [make_photo() for _ in range(4)]
    faces = [add_face(photo) for photo in photos]
    for photo in photos:
        ImportedName.objects.create(
            photo=photo, person=anna, name="Anna", source="mwg", x=0.4, y=0.2, width=0.2, height=0.3
        )
    space, ids = make_space("face", 4), [photo.pk for photo in photos]
    again = DetectedFace(Box(0.41, 0.2, 0.2, 0.3), 0.7, 0.6, np.ones(4, dtype=np.float32))

    def look() -> None:
        replace_faces(space=space, found={pk: [again] for pk in reversed(ids)})
        name_faces(photo_ids=ids)

    ends = at_once(
        look,
        lambda: confirm(face_ids=[face.pk for face in faces], person=anna, by=user, leave_out=True),
        lambda: forget_faces(photo_ids=ids[:2]),
        lambda: merge(into=anna, others=[make_person("Annie")], by=user),
    )
    assert all(isinstance(end, AlreadyAnswered | TwiceInPhoto | None) for end in ends), ends
    assert disagreeing() == []
    named = Face.objects.filter(person=anna)
    assert named.count() == named.values("photo").distinct().count()
