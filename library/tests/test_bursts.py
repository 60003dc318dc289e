"""Shots of one burst."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from library.bursts import burst_of, find_bursts
from library.duplicates import find_pairs, group_of, regroup
from library.models import DuplicatePair, Photo, PhotoHash
from library.tests.factories import FIRST_DAY, make_photo
from library.tests.pages import assert_sound
from library.tests.test_duplicates import bits

pytestmark = pytest.mark.django_db


def shot(seconds: float, changed: int = 0, **fields: Any) -> Photo:
    taken = FIRST_DAY + timedelta(seconds=seconds)
    values = {"camera_make": "Canon", "camera_model": "EOS", "taken_local": taken, "taken_at": taken}
    photo = make_photo(**values | fields)
    PhotoHash.objects.create(photo=photo, pdq=bits(*range(changed)), quality=100)
    return photo


def bursts(*photos: Photo) -> list[list[Photo]]:
    """In whatever order the photos come, the last word is the same."""
    for photo in photos:
        find_bursts(photo_ids=[photo.pk])
        find_pairs(photo_ids=[photo.pk])
    everything = Photo.objects.all()
    return [burst_of(photo, everything) for photo in photos]


def test_shots_within_a_second_that_look_alike() -> None:
    one, two, three = shot(0), shot(0.4, 40), shot(1.2, 80)
    assert bursts(three, one, two) == [[one, two], [two, three], [one, three]]
    assert DuplicatePair.objects.filter(kind="burst").count() == 2


@pytest.mark.parametrize(
    "other",
    [
        {"seconds": 2, "changed": 0},
        {"seconds": 0.5, "changed": 100},
        {"seconds": 0.5, "camera_model": "Other"},
        {"seconds": 0, "changed": 5},
    ],
)
def test_others_are_no_burst(other: dict[str, Any]) -> None:
    assert bursts(shot(0), shot(**other)) == [[], []]


def test_no_camera_no_burst() -> None:
    assert bursts(shot(0, camera_model=""), shot(0.5, camera_model="")) == [[], []]


def test_marked_shots_need_not_look_alike_nor_be_hashed() -> None:
    one, two, late = shot(0, burst="A"), shot(5, 200, burst="A"), shot(500, burst="A")
    three = make_photo(
        burst="A", camera_make="Canon", camera_model="EOS", taken_local=FIRST_DAY + timedelta(seconds=9)
    )
    assert bursts(one, two, three, late) == [[two, three], [one, three], [one, two], []]


def test_a_burst_is_not_the_same_picture_unless_it_is() -> None:
    one, two, three = shot(0), shot(0.4, 4), shot(0.8, 60)
    bursts(one, two, three)
    regroup(photo_ids=[one.pk, two.pk, three.pk])
    assert [member.photo for member in group_of(one, Photo.objects.all())] == [two]
    three.refresh_from_db()
    assert three.duplicate_of is None


def test_what_no_longer_holds_goes_and_what_was_decided_stays() -> None:
    one, two = shot(0), shot(0.5, 60)
    bursts(one, two)
    Photo.objects.filter(pk=two.pk).update(taken_local=FIRST_DAY + timedelta(hours=1))
    DuplicatePair.objects.update(decision="same")
    bursts(one, two)
    assert DuplicatePair.objects.count() == 1
    DuplicatePair.objects.update(decision="undecided")
    bursts(one, two)
    assert not DuplicatePair.objects.exists()


def test_the_page_shows_the_others(owner_client: Client) -> None:
    one, two = shot(0), shot(0.5, 60)
    bursts(one, two)
    html = assert_sound(owner_client.get(reverse("library:photo", args=[one.pk])))
    assert "Of the same burst" in html
    assert f'id="photo-{two.pk}"' in html
