"""The order of questions, what they hold, and who gets to see which."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import Root
from library.tests.factories import make_photo, make_root, make_user
from people.actions.answers import confirm, reject
from people.actions.cluster import cluster_all, ignore_cluster
from people.actions.recognise import recognise
from people.models import Face, FaceCluster, Person, Suggestion
from people.review import MOST_FACES, open_counts, questions, single_faces
from people.tests.recognition import confirmed, face_like, known_person, look

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Any:
    return make_user("owner", owner=True)


def unknown(who: int, count: int, *, alike: float = 0.9, root: Root | None = None) -> list[Face]:
    return [
        face_like(look(who, alike, noise=n), make_photo(root=root), quality=0.9 - n / 100)
        for n in range(count)
    ]


def look_again(faces: list[Face]) -> None:
    space = faces[0].space
    assert space is not None
    recognise(photo_ids=[face.photo_id for face in faces])
    cluster_all(space=space)


def test_the_answer_that_settles_most_comes_first(owner: Any) -> None:
    small, big = unknown(0, 3), unknown(1, 5)
    look_again(small + big)
    first, second = questions(owner, 10)
    assert (first.kind, first.settles, second.settles) == ("cluster", 5, 3)
    assert first.face_ids == tuple(face.pk for face in big), "from good to bad"
    assert first.cover_id == big[0].pk
    assert (first.person_id, first.probability, first.reasons) == (None, None, ())
    assert first.cluster_id == FaceCluster.objects.get(faces=big[0]).pk


def test_of_equals_the_least_sure_comes_first(owner: Any) -> None:
    anna = known_person("Anna", 0)
    likely, unlikely = face_like(look(0, 0.74)), face_like(look(0, 0.55, noise=3))
    look_again([likely, unlikely])
    first, second = questions(owner, 10)
    assert (first.kind, first.person_id) == ("suggestion", anna.pk)
    assert abs((first.probability or 0) - 0.5) < abs((second.probability or 0) - 0.5)


def test_suggestions_of_one_person_in_one_group_are_one_question(owner: Any) -> None:
    anna = known_person("Anna", 0)
    faces = [face_like(look(0, 0.7, noise=3), quality=0.5 + n / 10) for n in range(4)]
    look_again(faces)
    (question,) = questions(owner, 10)
    assert (question.kind, question.person_id, question.settles) == ("suggestion", anna.pk, 4)
    assert question.cover_id == faces[-1].pk and len(question.face_ids) == 4


def test_answered_and_ignored_faces_drop_out(owner: Any) -> None:
    faces, strangers = unknown(0, 4), unknown(1, 3)
    anna = known_person("Anna", 5)
    look_again(faces + strangers)
    ignore_cluster(cluster=FaceCluster.objects.get(faces=strangers[0]), by=owner)
    confirm(face_ids=[faces[0].pk], person=anna, by=owner)
    (question,) = questions(owner, 10)
    assert question.face_ids == tuple(face.pk for face in faces[1:])


def test_what_was_rejected_is_not_asked_even_before_anybody_learnt_from_it(owner: Any) -> None:
    anna = known_person("Anna", 0)
    face = face_like(look(0, 0.7))
    look_again([face])
    reject(face_ids=[face.pk], person=anna, by=owner)
    assert questions(owner, 10) == []


def test_somebody_named_beside_the_face_meanwhile_is_not_asked_about(owner: Any) -> None:
    anna = known_person("Anna", 0)
    photo = make_photo()
    face, other = face_like(look(0, 0.7), photo, x=0.1), face_like(look(6), photo, x=0.6)
    look_again([face, other])
    confirm(face_ids=[other.pk], person=anna, by=owner)
    assert questions(owner, 10) == []


def test_one_person_alone_can_be_asked_about(owner: Any) -> None:
    anna = known_person("Anna", 0)
    known_person("Bea", 1)
    faces = [face_like(look(0, 0.7)), face_like(look(1, 0.7)), *unknown(4, 3)]
    look_again(faces)
    assert [one.face_ids for one in questions(owner, 10, person_id=anna.pk)] == [(faces[0].pk,)]


def test_a_big_group_is_asked_about_in_parts(owner: Any) -> None:
    photo = make_photo()
    faces = [face_like(look(n % 8), photo, x=n / 100, width=0.009) for n in range(MOST_FACES + 5)]
    cluster = FaceCluster.objects.create(space=faces[0].space, key="big")
    Face.objects.update(cluster=cluster)
    (question,) = questions(owner, 10)
    assert len(question.face_ids) == MOST_FACES and question.settles == MOST_FACES + 5


def test_single_faces_are_counted_and_within_reach(owner: Any) -> None:
    known_person("Anna", 0)
    alone = face_like(look(7))
    look_again([alone, face_like(look(0, 0.7)), *unknown(4, 3)])
    assert open_counts(owner) == {"suggested": 1, "grouped": 3, "single": 1}
    assert list(single_faces(owner)) == [alone]


def test_closed_roots_teach_a_member_nothing(owner: Any) -> None:
    shared, closed = make_root(), make_root()
    closed.visible_to.add(owner)
    member = make_user("member")
    anna = known_person("Anna", 0)  # confirmed in the first root
    here = unknown(2, 3, root=shared)
    hidden = unknown(3, 4, root=closed)
    mixed = [face_like(look(5, 0.9, noise=n), make_photo(root=closed if n % 2 else shared)) for n in range(6)]
    asked = face_like(look(0, 0.7), make_photo(root=shared))
    look_again([*here, *hidden, *mixed, asked])
    mine = questions(member, 20)
    seen = {pk for question in mine for pk in question.face_ids}
    assert seen == {face.pk for face in [*here, *mixed[::2], asked]}
    assert sorted(question.settles for question in mine) == [1, 3, 3]
    assert all(question.reasons == () for question in mine)
    assert any(question.person_id == anna.pk for question in mine)
    assert open_counts(member) == {"suggested": 1, "grouped": 6, "single": 0}
    assert len(questions(owner, 20)) == 4


def test_ten_times_the_questions_cost_as_many_queries(owner: Any) -> None:
    counts = []
    for more in (5, 50):
        faces = [face_like(look(n % 8, 0.6, noise=n)) for n in range(more)]
        people = Person.objects.bulk_create(Person(name=f"{more} {n}") for n in range(more))
        for person, face in zip(people, faces, strict=True):
            confirmed(face_like(look(9)), person)
            Suggestion.objects.create(face=face, person=person, similarity=0.6, margin=0.1, probability=0.6)
        for n in range(more // 2):
            cluster = FaceCluster.objects.create(space=faces[0].space, key=f"{more} {n}")
            Face.objects.filter(pk=face_like(look(7)).pk).update(cluster=cluster)
        with CaptureQueriesContext(connection) as queries:
            assert questions(owner, 100)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
