"""Pairs of the same picture, and who stands in front."""

from __future__ import annotations

import hashlib
import json
import random
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from library.components import connected_components
from library.duplicates import PairChanges, find_pairs, group_of, regroup, same_picture_groups
from library.models import DuplicatePair, Photo, PhotoHash
from library.tests.factories import make_file, make_photo, make_root
from library.tests.pages import assert_sound


def bits(*changed: int, seed: int = 1) -> str:
    """A fixed hash with these of its 256 bits changed."""
    values = [*f"{int.from_bytes(hashlib.sha256(b'%d' % seed).digest()):0256b}"]
    for position in changed:
        values[position] = "1" if values[position] == "0" else "0"
    return "".join(values)


def hashed(*changed: int, seed: int = 1, quality: int = 100, **fields: Any) -> Photo:
    photo = make_photo(**fields)
    PhotoHash.objects.create(photo=photo, pdq=bits(*changed, seed=seed), quality=quality)
    return photo


def pairs() -> dict[tuple[int, int], int]:
    return {(p.first_id, p.second_id): p.distance for p in DuplicatePair.objects.all()}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))), st.randoms())
def test_components_do_not_depend_on_the_order(edges: list[tuple[int, int]], rng: random.Random) -> None:
    found = connected_components(range(13), edges)
    rng.shuffle(edges)
    assert connected_components(range(13), [(b, a) for a, b in edges]) == found
    where = {node: index for index, group in enumerate(found) for node in group}
    assert sorted(where) == list(range(13))
    assert all(where[a] == where[b] for a, b in edges)


@pytest.mark.django_db
def test_pairs_hold_up_to_the_threshold() -> None:
    one, near = hashed(), hashed(*range(31))
    hashed(*range(100, 132))
    hashed(seed=2)
    changes = find_pairs(photo_ids=[one.pk])
    assert pairs() == {(one.pk, near.pk): 31}
    assert changes == PairChanges(holding=1, written=1, removed=0)


@pytest.mark.django_db
def test_finding_twice_writes_nothing() -> None:
    photos = [hashed(n) for n in range(4)]
    ids = [photo.pk for photo in photos]
    assert find_pairs(photo_ids=ids).written == 6
    assert find_pairs(photo_ids=ids) == PairChanges(holding=6, written=0, removed=0)


@pytest.mark.django_db
def test_flat_pictures_are_not_compared() -> None:
    one, _ = hashed(), hashed(quality=49)
    assert find_pairs(photo_ids=[one.pk]).holding == 0


@pytest.mark.django_db
def test_a_changed_hash_moves_and_removes_pairs() -> None:
    one, two, three = hashed(), hashed(1), hashed(2)
    find_pairs(photo_ids=[one.pk, two.pk, three.pk])
    PhotoHash.objects.filter(photo=two).update(pdq=bits(1, 5, 6))
    PhotoHash.objects.filter(photo=three).update(pdq=bits(seed=3))
    changes = find_pairs(photo_ids=[two.pk, three.pk])
    assert pairs() == {(one.pk, two.pk): 3}
    assert (changes.written, changes.removed) == (1, 2)


@pytest.mark.django_db
def test_what_a_person_decided_stays() -> None:
    one, two = hashed(), hashed(1)
    find_pairs(photo_ids=[one.pk])
    DuplicatePair.objects.update(decision="different")
    PhotoHash.objects.filter(photo=two).update(pdq=bits(seed=3))
    find_pairs(photo_ids=[two.pk])
    assert DuplicatePair.objects.get().decision == "different"


@pytest.mark.django_db
def test_the_largest_picture_stands_in_front() -> None:
    small = hashed(width=100, height=100)
    big = hashed(1, width=400, height=400)
    middle = hashed(2, width=200, height=200)
    ids = [small.pk, big.pk, middle.pk]
    find_pairs(photo_ids=ids)
    assert regroup(photo_ids=[small.pk]) == 2
    assert dict(Photo.objects.values_list("pk", "duplicate_of")) == {
        small.pk: big.pk,
        big.pk: None,
        middle.pk: big.pk,
    }
    assert regroup(photo_ids=ids) == 0


@pytest.mark.django_db
def test_equal_pixels_go_by_file_size_then_by_age() -> None:
    first, second, third = hashed(), hashed(), hashed()
    make_file(second, "big.jpg", size=5000)
    ids = [first.pk, second.pk, third.pk]
    find_pairs(photo_ids=ids)
    regroup(photo_ids=ids)
    assert Photo.objects.get(duplicate_of=None) == second
    second.files.all().delete()
    regroup(photo_ids=ids)
    assert Photo.objects.get(duplicate_of=None) == first


@pytest.mark.django_db
def test_a_vanished_photo_never_stands_in_front() -> None:
    best, other = hashed(width=5000), hashed()
    find_pairs(photo_ids=[best.pk])
    regroup(photo_ids=[best.pk])
    Photo.objects.filter(pk=best.pk).update(missing_since="2020-01-01T00:00Z")
    regroup(photo_ids=[best.pk])
    assert dict(Photo.objects.values_list("pk", "duplicate_of")) == {best.pk: other.pk, other.pk: None}


@pytest.mark.django_db
def test_the_same_picture_further_apart_does_not_hide() -> None:
    one, two = hashed(), hashed(*range(9))
    find_pairs(photo_ids=[one.pk, two.pk])
    assert regroup(photo_ids=[one.pk, two.pk]) == 0
    DuplicatePair.objects.update(decision="same")
    assert regroup(photo_ids=[one.pk, two.pk]) == 1
    DuplicatePair.objects.update(decision="different")
    assert regroup(photo_ids=[two.pk]) == 1
    assert not Photo.objects.filter(duplicate_of__isnull=False).exists()


@pytest.mark.django_db
def test_a_group_that_falls_apart_lets_its_members_go() -> None:
    best, bridge, far = hashed(width=5000), hashed(*range(8)), hashed(*range(16))
    find_pairs(photo_ids=[best.pk, bridge.pk, far.pk])
    regroup(photo_ids=[best.pk])
    assert set(Photo.objects.values_list("duplicate_of", flat=True)) == {None, best.pk}
    PhotoHash.objects.filter(photo=bridge).update(pdq=bits(seed=9))
    find_pairs(photo_ids=[bridge.pk])
    regroup(photo_ids=[bridge.pk])
    assert set(Photo.objects.values_list("duplicate_of", flat=True)) == {None}


@pytest.mark.django_db
def test_grouping_does_not_depend_on_the_order() -> None:
    photos = [hashed(*range(n)) for n in range(0, 40, 4)]
    outcomes = set()
    ids = [photo.pk for photo in photos]
    for order in (ids, ids[::-1], ids[1::2] + ids[::2]):
        Photo.objects.update(duplicate_of=None)
        DuplicatePair.objects.all().delete()
        for pk in order:
            find_pairs(photo_ids=[pk])
            regroup(photo_ids=[pk])
        outcomes.add(tuple(Photo.objects.order_by("pk").values_list("duplicate_of", flat=True)))
    assert len(outcomes) == 1


@pytest.mark.django_db
def test_groups_are_read_closest_first() -> None:
    one, near, far = hashed(), hashed(1), hashed(*range(20))
    find_pairs(photo_ids=[one.pk, near.pk, far.pk])
    found = group_of(one, Photo.objects.all())
    assert [(member.photo, member.distance) for member in found] == [(near, 1), (far, 20)]
    assert same_picture_groups(Photo.objects.all()) == [[one.pk, near.pk, far.pk]]
    assert same_picture_groups(Photo.objects.exclude(pk=near.pk)) == [[one.pk, far.pk]]


@pytest.mark.django_db
def test_the_command_recomputes_everything() -> None:
    hashed(), hashed(1), hashed(seed=2)
    out = StringIO()
    call_command("find_duplicates", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"photos": 3, "written": 1, "removed": 0, "regrouped": 1}
    call_command("find_duplicates", stdout=out)
    assert "0 photos changed their place" in out.getvalue()


@pytest.mark.django_db
def test_the_page_shows_groups_best_first(owner_client: Client) -> None:
    small, big = hashed(path="small.jpg", width=10), hashed(1, path="big.jpg")
    find_pairs(photo_ids=[small.pk])
    regroup(photo_ids=[small.pk])
    html = assert_sound(owner_client.get("/duplicates"))
    assert html.index(f"/photo/{big.pk}") < html.index(f"/photo/{small.pk}")
    assert "1 bit apart" in html
    assert ">hidden<" in html


@pytest.mark.django_db
def test_the_page_without_groups(owner_client: Client) -> None:
    assert "No duplicates" in assert_sound(owner_client.get("/duplicates?page=7"))


@pytest.mark.django_db
def test_groups_of_closed_roots_are_not_shown(member_client: Client, owner: Any) -> None:
    closed = make_root()
    closed.visible_to.add(owner)
    one, _ = hashed(), hashed(1, root=closed)
    find_pairs(photo_ids=[one.pk])
    assert "No duplicates" in assert_sound(member_client.get("/duplicates"))
    assert "The same picture" not in assert_sound(member_client.get(f"/photo/{one.pk}"))
