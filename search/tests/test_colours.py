"""Photos by their colours."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from library.colours import store_colours
from library.models import Photo, PhotoColour
from library.tests.factories import make_photo
from search.colours import colour_condition
from search.query import parse
from search.query.values import colour
from vision.imaging.colour import Colour, dominant_colours
from vision.imaging.palette import PALETTE, lab_of


def photo_in(*colours: tuple[str, float]) -> Photo:
    """A photo of these colours, with the share of each."""
    found = [Colour(tuple(bytes.fromhex(code)), share, lab_of(code)) for code, share in colours]
    photo = make_photo(colours=[asdict(colour) for colour in found])
    store_colours(photo_ids=[photo.pk])
    return photo


def found(value: str) -> set[int]:
    return set(Photo.objects.filter(colour_condition(value)).values_list("pk", flat=True))


@pytest.mark.django_db
def test_names_and_codes_find_photos_of_that_colour():
    sky = photo_in(("5b97d6", 0.7), ("ffffff", 0.3))
    wood = photo_in(("7a5236", 0.95), ("1e66d0", 0.05))
    assert found("blue") == {sky.pk}
    assert found("Brown") == {wood.pk}
    assert found("#5a95d2") == {sky.pk}
    assert found("5A95D2") == {sky.pk}
    assert found("#fff") == {sky.pk}
    assert found("#00ff00") == set()
    assert found("gray") == found("grey") == set()


@pytest.mark.django_db
def test_a_new_reading_replaces_the_colours_and_odd_ones_are_left_out():
    photo = photo_in(("c62828", 1.0))
    Photo.objects.filter(pk=photo.pk).update(
        colours=[{"rgb": [0, 0, 0], "share": 1.0}, asdict(Colour((0, 0, 0), 0.01, (0.0, 0.0, 0.0)))]
    )
    store_colours(photo_ids=[photo.pk])
    assert not PhotoColour.objects.exists()


@pytest.mark.django_db
def test_every_name_finds_pictures_painted_in_its_own_colour():
    """Through the colours that preprocessing finds in pixels."""
    painted = {}
    for named in PALETTE:
        image = Image.new("RGB", (40, 30), f"#{named.examples[0]}")
        painted[named.name] = make_photo(colours=[asdict(found) for found in dominant_colours(image)])
    store_colours(photo_ids=[photo.pk for photo in painted.values()])
    for name, photo in painted.items():
        assert found(name) == {photo.pk}, name


@pytest.mark.parametrize(
    ("value", "known"), [("teal", True), ("#abc", True), ("ABCDEF", True), ("#ab", False), ("loud", False)]
)
def test_what_is_a_colour(value, known):
    assert (colour(value) is not None) is known
    assert bool(parse(f"color:{value}").hints) is not known


def test_what_is_no_colour_is_told_what_is():
    with pytest.raises(ValueError, match="turquoise"):
        colour_condition("loud")


@given(st.text())
def test_what_the_language_takes_can_be_asked(text):
    if colour(text) is not None:
        colour_condition(text)
