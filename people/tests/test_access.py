"""Whom a member may know of: nobody who is only in closed roots."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import Http404

from library.models import Photo, Root
from library.tests.factories import make_photo, make_root, make_user
from people.access import (
    clusters_for,
    events_for,
    faces_for,
    figures_for,
    people_for,
    person_or_404,
)
from people.actions.answers import confirm, unassign
from people.actions.merge import merge
from people.actions.persons import create_person, set_cover
from people.models import FaceCluster, ImportedName, Person
from people.tests.factories import add_face, make_person, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Any:
    return make_user("olga", owner=True)


@pytest.fixture
def member() -> Any:
    return make_user("max")


@pytest.fixture
def open_photo() -> Photo:
    return make_photo(root=make_root())


@pytest.fixture
def closed_photo(owner: Any) -> Photo:
    root: Root = make_root()
    root.visible_to.add(owner)
    return make_photo(root=root)


def names(user: Any) -> list[str]:
    return [person.name for person in people_for(user)]


def test_a_person_only_in_closed_roots_is_not_there(
    owner: Any, member: Any, open_photo: Photo, closed_photo: Photo
) -> None:
    anna, ben = make_person("Anna"), make_person("Ben")
    say(add_face(open_photo), anna)
    say(add_face(closed_photo), ben)
    assert names(owner) == ["Anna", "Ben"]
    assert names(member) == ["Anna"]
    assert [face.person for face in faces_for(member)] == [anna]
    assert faces_for(owner).count() == 2
    with pytest.raises(Http404):
        person_or_404(member, ben.pk)
    assert person_or_404(owner, ben.pk) == ben


def test_a_person_loses_the_last_face_without_being_told_to_members(
    owner: Any, member: Any, closed_photo: Photo
) -> None:
    face = add_face(closed_photo)
    ben = make_person("Ben")
    confirm(face_ids=[face.pk], person=ben, by=owner)
    unassign(face_ids=[face.pk], by=owner)
    assert (names(owner), names(member)) == (["Ben"], [])


def test_somebody_without_a_face_is_there_for_whoever_made_it(owner: Any, member: Any) -> None:
    create_person(name="Cleo", by=member)
    create_person(name="Dora", by=owner)
    make_person("Max", user=member)
    assert names(member) == ["Cleo", "Max"]
    assert names(make_user("eve")) == []


def test_names_of_other_programs_count_where_their_photo_may_be_seen(
    member: Any, open_photo: Photo, closed_photo: Photo
) -> None:
    for name, photo in (("Anna", open_photo), ("Ben", closed_photo)):
        ImportedName.objects.create(photo=photo, person=make_person(name), name=name, source="mwg")
    assert names(member) == ["Anna"]


def test_figures_and_cover_are_those_of_the_viewer(
    owner: Any, member: Any, open_photo: Photo, closed_photo: Photo
) -> None:
    anna = make_person("Anna")
    plain, hidden = add_face(open_photo, quality=0.2), add_face(closed_photo, quality=0.9)
    confirm(face_ids=[plain.pk, hidden.pk], person=anna, by=owner)
    set_cover(person=anna, face_id=hidden.pk, by=owner)
    all_of_it, part = figures_for(owner)[anna.pk], figures_for(member)[anna.pk]
    assert (all_of_it.photos, all_of_it.cover) == (2, hidden.pk)
    assert (part.photos, part.cover) == (1, plain.pk)
    assert part.first == part.last == open_photo.taken_local
    assert {all_of_it.first, all_of_it.last} == {open_photo.taken_local, closed_photo.taken_local}


def test_figures_cost_the_same_for_ten_people_and_for_a_hundred(
    member: Any, django_assert_num_queries: Any
) -> None:
    for count in (10, 90):
        for _ in range(count):
            say(add_face(make_photo()), make_person("Somebody"))
        with django_assert_num_queries(3):
            found = figures_for(member, people_for(member).values_list("pk", flat=True))
        assert {figures.photos for figures in found.values()} == {1}


def test_nobody_sees_anybody_without_logging_in(open_photo: Photo) -> None:
    from django.contrib.auth.models import AnonymousUser

    say(add_face(open_photo), make_person())
    nobody = AnonymousUser()
    assert not people_for(nobody).exists()
    assert not faces_for(nobody).exists()
    assert not events_for(nobody).exists()


def test_a_merged_person_leads_to_who_it_is_now(owner: Any, open_photo: Photo) -> None:
    anna, annie = make_person("Anna"), make_person("Annie")
    merge(into=anna, others=[annie], by=owner)
    assert person_or_404(owner, annie.pk) == anna
    assert names(owner) == ["Anna"]


def test_clusters_of_closed_roots_are_not_there(
    owner: Any, member: Any, open_photo: Photo, closed_photo: Photo
) -> None:
    for photo in (open_photo, closed_photo):
        face = add_face(photo)
        cluster = FaceCluster.objects.create(space=face.space, key=str(photo.pk), size=1)
        type(face).objects.filter(pk=face.pk).update(cluster=cluster)
    assert clusters_for(owner).count() == 2
    assert [cluster.key for cluster in clusters_for(member)] == [str(open_photo.pk)]


def test_members_see_their_own_events(owner: Any, member: Any) -> None:
    mine = create_person(name="Cleo", by=member)
    create_person(name="Dora", by=owner)
    assert list(events_for(member)) == [mine]
    assert events_for(owner).count() == 2
    assert Person.objects.count() == 2
