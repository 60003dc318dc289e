"""After an answer the faces nearby are looked at again."""

from __future__ import annotations

import pytest

from library.tests.factories import make_photo
from people.actions.answers import confirm, reject
from people.actions.cluster import (
    cluster_all,
    cluster_recent,
    ignore_cluster,
    name_cluster,
    recount_clusters,
)
from people.actions.persons import create_person
from people.actions.prototypes import choose_prototypes
from people.actions.recognise import recognise
from people.actions.settle import settle, unsettled
from people.models import Face, FaceCluster, Person, Prototype, Suggestion
from people.tests.recognition import confirmed, face_like, known_person, look, names

pytestmark = pytest.mark.django_db


def test_one_answer_settles_the_faces_that_look_alike() -> None:
    asked = face_like(look(0))
    alike = [face_like(look(0, 0.9, noise=n)) for n in range(4)]
    stranger = face_like(look(3))
    event = create_person(name="Anna", face_ids=[asked.pk], by=None)
    assert settle(event) == 4
    assert set(names()) == {asked.pk, *(face.pk for face in alike)}
    assert stranger.pk not in names()
    assert settle(event) == 4, "done once, told as often as somebody asks"
    assert not unsettled().exists()


def test_what_the_program_did_itself_teaches_nothing() -> None:
    known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    recognise(photo_ids=[face.photo_id])
    assert not unsettled().exists()


def test_a_rejection_frees_the_other_face_of_the_photo() -> None:
    anna = known_person("Anna", 0)
    photo = make_photo()
    first = face_like(look(0, 0.7), photo, x=0.1)
    second = face_like(look(0, 0.65, noise=2), photo, x=0.6)
    recognise(photo_ids=[photo.pk])
    assert list(Suggestion.objects.values_list("face", flat=True)) == [first.pk]
    settle(reject(face_ids=[first.pk], person=anna, by=None))
    assert list(Suggestion.objects.values_list("face", "person")) == [(second.pk, anna.pk)]


def test_undoing_takes_the_guesses_back_that_came_of_it() -> None:
    from people.actions.undo import undo

    face, other = face_like(look(0)), face_like(look(0, 0.9))
    event = create_person(name="Anna", face_ids=[face.pk], by=None)
    settle(event)
    assert set(names()) == {face.pk, other.pk}
    settle(undo(event=event, by=None))
    assert names() == {}
    assert not Prototype.objects.exists()


def test_guesses_never_become_prototypes() -> None:
    anna = known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    recognise(photo_ids=[face.photo_id])
    assert choose_prototypes(person_ids=[anna.pk]) == set()
    assert not Prototype.objects.filter(face=face).exists()


def test_pinned_prototypes_stay_and_others_follow_the_faces() -> None:
    anna = Person.objects.create(name="Anna")
    faces = [confirmed(face_like(look(0, 0.8, noise=n), quality=0.9 - n / 100), anna) for n in range(9)]
    choose_prototypes(person_ids=[anna.pk])
    chosen = set(Prototype.objects.values_list("face", flat=True))
    assert len(chosen) == 6
    left_out = next(face for face in faces if face.pk not in chosen)
    Prototype.objects.create(person=anna, face=left_out, quality=0.1, pinned=True)
    choose_prototypes(person_ids=[anna.pk])
    assert Prototype.objects.get(face=left_out).pinned
    assert Prototype.objects.count() == 6


def group(who: int, count: int = 4, first: int = 0) -> list[Face]:
    return [face_like(look(who, 0.9, noise=n)) for n in range(first, first + count)]


def clustered() -> list[set[int]]:
    rows = Face.objects.filter(cluster__isnull=False).values_list("cluster", "pk")
    found: dict[int, set[int]] = {}
    for cluster, pk in rows:
        found.setdefault(cluster, set()).add(pk)
    return sorted(found.values(), key=min)


def test_unknown_faces_are_grouped_and_the_rest_stays_single() -> None:
    one, two, alone = group(0), group(1), face_like(look(2))
    space = alone.space
    assert space is not None
    done = cluster_all(space=space)
    assert (done.faces, done.new, done.kept, done.grouped, done.single) == (9, 2, 0, 8, 1)
    assert clustered() == [{face.pk for face in one}, {face.pk for face in two}]
    cluster = FaceCluster.objects.get(faces=one[0])
    assert cluster.size == 4 and cluster.cover in one


def test_a_group_that_is_found_again_stays_the_same_and_gone_ones_go() -> None:
    one, two = group(0), group(1)
    space = one[0].space
    assert space is not None
    cluster_all(space=space)
    before = FaceCluster.objects.get(faces=one[0])
    settle(create_person(name="Bea", face_ids=[face.pk for face in two], by=None))
    added = face_like(look(0, 0.92, noise=9))
    done = cluster_all(space=space)
    assert (done.kept, done.new) == (1, 0)
    added.refresh_from_db()
    assert added.cluster == before
    assert FaceCluster.objects.get(pk=before.pk).key == before.key
    recount_clusters(face_ids=[face.pk for face in two])
    assert FaceCluster.objects.filter(size__gt=0).count() == 1


def test_a_full_run_changes_no_label() -> None:
    known_person("Anna", 0)
    faces = [*group(0), *group(1)]
    recognise(photo_ids=[face.photo_id for face in faces])
    before = names()
    space = faces[0].space
    assert space is not None
    cluster_all(space=space)
    assert names() == before and len(before) == 5


def test_two_faces_of_a_photo_are_never_in_one_group() -> None:
    faces = group(0)
    twin = face_like(look(0, 0.85, noise=7), faces[0].photo, x=0.7)
    space = twin.space
    assert space is not None
    cluster_all(space=space)
    assert clustered() == [{face.pk for face in faces}]


def test_new_faces_join_groups_or_form_them_without_a_full_run() -> None:
    one = group(0)
    space = one[0].space
    assert space is not None
    cluster_all(space=space)
    joins = face_like(look(0, 0.95, noise=12))
    new = group(1, 3)
    alone = face_like(look(2))
    assert cluster_recent(space=space) == 4
    assert clustered() == [{face.pk for face in one} | {joins.pk}, {face.pk for face in new}]
    assert cluster_recent(space=space) == 0
    alone.refresh_from_db()
    assert alone.cluster is None


def test_a_group_is_named_in_one_step_and_undone_in_one() -> None:
    from people.actions.undo import undo

    faces = group(0)
    space = faces[0].space
    assert space is not None
    cluster_all(space=space)
    event = name_cluster(cluster=FaceCluster.objects.get(), name="Anna", by=None)
    assert set(names().values()) == {"Anna"} and len(names()) == 4
    settle(event)
    assert FaceCluster.objects.get().size == 0
    settle(undo(event=event, by=None))
    assert names() == {}
    assert FaceCluster.objects.get().size == 4


def test_a_rejected_face_is_left_out_when_its_group_is_named() -> None:
    anna = known_person("Anna", 0)
    faces = group(1)
    space = faces[0].space
    assert space is not None
    cluster_all(space=space)
    reject(face_ids=[faces[0].pk], person=anna, by=None)
    event = name_cluster(cluster=FaceCluster.objects.get(faces=faces[1]), person=anna, by=None)
    assert faces[0].pk not in names()
    assert [pk for pk, _ in event.data["left_out"]] == [faces[0].pk]


def test_strangers_are_ignored_together_and_whoever_joins_them_too() -> None:
    from people.actions.undo import undo

    faces = group(0)
    space = faces[0].space
    assert space is not None
    cluster_all(space=space)
    event = ignore_cluster(cluster=FaceCluster.objects.get(), by=None)
    settle(event)
    assert FaceCluster.objects.get().ignored
    joins = face_like(look(0, 0.95, noise=12))
    cluster_recent(space=space)
    cluster = FaceCluster.objects.get()
    assert cluster.ignored and cluster.size == 1
    joins.refresh_from_db()
    assert joins.cluster == cluster and joins.status == "face"
    settle(undo(event=event, by=None))
    assert not FaceCluster.objects.get().ignored


def test_confirming_settles_suggestions_of_the_group() -> None:
    anna = known_person("Anna", 0)
    older = [face_like(look(0, 0.6, noise=5)) for _ in range(3)]
    recognise(photo_ids=[face.photo_id for face in older])
    assert Suggestion.objects.count() == 3
    assert settle(confirm(face_ids=[older[0].pk], person=anna, by=None)) == 2
    assert not Suggestion.objects.exists()
