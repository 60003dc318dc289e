"""What several workers make at the same time they make in one order: else they wait in a circle."""

from __future__ import annotations

import pytest

from library.models import Place, Tag

pytestmark = pytest.mark.django_db


def test_new_tags_are_made_in_the_order_of_their_names() -> None:
    made = Tag.objects.ensure(["zoo", "Ant", "cat"])
    assert sorted(made, key=lambda name: made[name].pk) == ["ant", "cat", "zoo"]


def test_new_places_are_made_in_the_order_of_their_names() -> None:
    names = [(f"City {number}", "", "Here") for number in range(9)]
    made = Place.objects.ensure(reversed(names))
    assert sorted(made, key=lambda each: made[each].pk) == names
