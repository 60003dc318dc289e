"""Who may see what: one owns, one shares, one must see nothing of a closed root."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import ProtectedError
from django.http import Http404

from library.access import files_for, photo_or_404, photos_for
from library.models import Photo, Root
from library.tests.factories import FIRST_DAY, make_file, make_photo, make_root, make_user
from library.timeline import with_details

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_root() -> Root:
    return make_root(name="open")


@pytest.fixture
def closed_root(member: Any) -> Root:
    """Only Max may look."""
    root = make_root(name="closed")
    root.visible_to.add(member)
    return root


@pytest.fixture
def other() -> Any:
    return make_user("otto")


def seen_by(user: Any) -> set[int]:
    return set(photos_for(user).values_list("pk", flat=True))


def test_everybody_in_the_family_sees_an_open_root(open_root: Root, member: Any, other: Any) -> None:
    photo = make_photo(root=open_root)
    assert seen_by(member) == seen_by(other) == {photo.pk}


def test_a_closed_root_is_for_those_who_were_chosen(
    closed_root: Root, member: Any, other: Any, owner: Any
) -> None:
    photo = make_photo(root=closed_root)
    assert seen_by(member) == {photo.pk}
    assert seen_by(other) == set()
    assert seen_by(owner) == {photo.pk}


def test_nobody_else_sees_anything(open_root: Root) -> None:
    photo = make_photo(root=open_root)
    assert seen_by(AnonymousUser()) == set()
    assert files_for(AnonymousUser(), photo) == []


def test_the_owner_sees_photos_without_any_file(owner: Any, member: Any, open_root: Root) -> None:
    photo = make_photo(root=open_root)
    photo.files.all().delete()
    assert seen_by(owner) == {photo.pk}
    assert seen_by(member) == set()


def test_a_photo_in_an_open_and_a_closed_root_is_seen_with_its_open_file_only(
    open_root: Root, closed_root: Root, member: Any, other: Any, owner: Any
) -> None:
    photo = make_photo("public.jpg", root=open_root)
    make_file(photo, "secret/name.jpg", root=closed_root)
    assert seen_by(other) == {photo.pk}
    assert [file.display_path for file in files_for(other, photo)] == ["public.jpg"]
    for user in (member, owner):
        assert [file.display_path for file in files_for(user, photo)] == ["public.jpg", "secret/name.jpg"]


def test_a_photo_comes_once_however_many_files_and_friends_it_has(member: Any, other: Any) -> None:
    root = make_root()
    root.visible_to.add(member, other)
    photo = make_photo("a.jpg", root=root)
    make_file(photo, "b.jpg", root=root)
    assert list(photos_for(member).values_list("pk", flat=True)) == [photo.pk]
    assert len(files_for(member, photo)) == 2


def test_present_files_come_before_missing_ones(owner: Any, open_root: Root) -> None:
    photo = make_photo("gone.jpg", root=open_root)
    photo.files.update(missing_since=photo.created_at)
    make_file(photo, "there.jpg", root=open_root)
    assert [file.display_path for file in files_for(owner, photo)] == ["there.jpg", "gone.jpg"]
    detailed = with_details(photos_for(owner), owner).get(pk=photo.pk)
    assert [file.display_path for file in detailed.visible_files] == ["there.jpg", "gone.jpg"]


def test_a_photo_that_may_not_be_seen_looks_like_one_that_is_not_there(
    closed_root: Root, member: Any, other: Any
) -> None:
    photo = make_photo(root=closed_root)
    assert photo_or_404(member, photo.pk) == photo
    for user, pk in (
        (other, photo.pk),
        (AnonymousUser(), photo.pk),
        (member, photo.pk + 1),
        (member, 1 << 70),
    ):
        with pytest.raises(Http404):
            photo_or_404(user, pk)


def test_the_choice_can_be_narrowed_but_not_widened(closed_root: Root, member: Any, other: Any) -> None:
    photo = make_photo(root=closed_root)
    assert photo_or_404(member, photo.pk, photos=Photo.objects.shown()) == photo
    with pytest.raises(Http404):
        photo_or_404(member, photo.pk, photos=Photo.objects.filter(rating=5))
    with pytest.raises(Http404):
        photo_or_404(other, photo.pk, photos=Photo.objects.all())


def test_access_is_a_part_of_the_query(member: Any, django_assert_num_queries: Any) -> None:
    root = make_root()
    for _ in range(3):
        make_photo(root=root)
    with django_assert_num_queries(1):
        assert len(photos_for(member)) == 3


def test_where_a_file_was_opens_nothing_while_it_is_elsewhere() -> None:
    member, keeper = make_user(), make_user()
    opened, closed = make_root(), make_root()
    closed.visible_to.add(keeper)
    photo = make_photo("was-here.jpg", root=opened)
    make_file(photo, "is-here.jpg", root=closed)
    photo.files.filter(root=opened).update(missing_since=FIRST_DAY)
    assert photo not in photos_for(member)
    assert photo in photos_for(keeper)
    photo.files.update(missing_since=FIRST_DAY)
    Photo.objects.filter(pk=photo.pk).update(missing_since=FIRST_DAY)
    assert photo in photos_for(member)


def test_the_last_viewer_of_a_root_cannot_vanish() -> None:
    viewer = make_user()
    root = make_root()
    root.visible_to.add(viewer)
    with pytest.raises(ProtectedError):
        viewer.delete()
    root.visible_to.remove(viewer)
    viewer.delete()
