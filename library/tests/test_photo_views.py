"""The page of one photo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from library.models import Category, DuplicatePair, Photo, Place
from library.presentation import coordinates, exposure, utc_offset
from library.tests.factories import add_description, add_tag, add_text, make_file, make_photo, make_root
from library.tests.pages import assert_sound
from people.tests.factories import add_face

pytestmark = pytest.mark.django_db


def page(client: Client, photo: Photo) -> str:
    return assert_sound(client.get(f"/photo/{photo.pk}"))


def test_the_facts_are_there(owner_client: Client) -> None:
    photo = make_photo(
        "summer/sea.jpg",
        taken_local=datetime(2021, 8, 5, 14, 30, tzinfo=UTC),
        taken_offset_minutes=120,
        camera_make="Canon",
        camera_model="Canon EOS R5",
        lens="RF 24-70",
        rating=4,
        latitude=48.85837,
        longitude=-2.5,
        exif={"ExposureTime": 0.004, "FNumber": 2.8, "ISOSpeedRatings": 200, "FocalLength": 50},
        colours=[{"rgb": [10, 20, 30], "share": 0.6, "lab": [1, 2, 3]}],
    )
    html = page(owner_client, photo)
    assert "5 August 2021" in html
    assert "14:30" in html
    assert "UTC+02:00" in html
    assert "from the camera (EXIF)" in html
    assert "Canon EOS R5" in html
    assert "Canon Canon" not in html
    assert "1/250 s · f/2.8 · ISO 200 · 50 mm" in html
    assert 'href="geo:48.858370,-2.500000"' in html
    assert 'aria-label="4 of 5 stars"' in html
    assert "summer" in html
    assert "#0a141e" in html


def test_what_a_model_wrote_stands_apart_from_what_a_person_wrote(owner_client: Client) -> None:
    photo = make_photo(description="Our dog at home")
    assert "Described by" not in page(owner_client, photo)
    add_description(photo, "A <dog> runs. It is wet.")
    html = page(owner_client, photo)
    assert "<p>Our dog at home</p>" in html
    assert "A &lt;dog&gt; runs. It is wet." in html
    assert "Described by SmolVLM-500M-Instruct;" in html
    assert 'alt="A &lt;dog&gt; runs, ' in html


def test_all_its_files_are_listed_with_the_missing_ones(owner_client: Client) -> None:
    photo = make_photo("here/a.jpg")
    make_file(photo, "gone/b.jpg", missing_since=datetime(2022, 3, 4, tzinfo=UTC))
    html = page(owner_client, photo)
    assert "a.jpg" in html
    assert "missing since 4 Mar 2022" in html


def test_tags_stand_under_their_category_and_lead_to_search(owner_client: Client) -> None:
    photo = make_photo()
    food = Category.objects.create(slug="food", name="Food", position=1)
    add_tag(photo, "hot dog", 0.87, category=food)
    add_tag(photo, "thing", 0.5)
    html = page(owner_client, photo)
    assert "?q=hot%20dog" in html
    assert "87 %" in html
    assert html.index("Food") < html.index("Other")


def test_boxes_of_faces_and_text_lie_over_the_picture(owner_client: Client) -> None:
    photo = make_photo()
    add_face(photo)
    add_text(photo, "STOP")
    html = page(owner_client, photo)
    assert 'x="0.40000" y="0.20000" width="0.20000" height="0.30000"/>' in html
    assert 'data-block="block-1">STOP' in html
    assert 'id="block-1" x="0.10000"' in html
    assert "1 face" in html


def test_neighbours_follow_the_timeline(owner_client: Client) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    older, middle, newer = (make_photo(taken_local=moment) for _ in range(3))
    html = page(owner_client, middle)
    assert f'id="newer" rel="prev" href="/photo/{newer.pk}"' in html
    assert f'id="older" rel="next" href="/photo/{older.pk}"' in html
    assert 'id="older"' not in page(owner_client, older)
    assert 'id="newer"' not in page(owner_client, newer)


def test_the_same_picture_is_shown_with_its_distance(owner_client: Client) -> None:
    one, two, three, other = (make_photo() for _ in range(4))
    DuplicatePair.objects.create(first=one, second=two, distance=12)
    DuplicatePair.objects.create(first=two, second=three, distance=30)
    DuplicatePair.objects.create(first=one, second=other, distance=2, decision="different")
    html = page(owner_client, one)
    assert "12 bits apart" in html
    assert f"/photo/{three.pk}" in html
    assert f'id="photo-{other.pk}"' not in html


def test_a_failed_photo_shows_why(owner_client: Client) -> None:
    photo = make_photo(
        renditions_at=None, sha256=None, taken_local=None, state="failed", error_message="truncated <here>"
    )
    html = page(owner_client, photo)
    assert "could not be read" in html
    assert "truncated &lt;here&gt;" in html


def test_the_ledger_is_on_the_page(owner_client: Client) -> None:
    photo = make_photo()
    photo.steps.create(step="ocr", status="skipped", error="no weights")
    assert "no weights" in page(owner_client, photo)


def test_photos_of_others_are_not_found(member_client: Client, owner: Any) -> None:
    closed = make_root()
    closed.visible_to.add(owner)
    photo = make_photo(root=closed)
    for name in ("photo", "thumbnail", "preview", "original"):
        assert member_client.get(f"/{name}/{photo.pk}").status_code == 404
    assert member_client.get("/photo/999999999").status_code == 404


def test_not_found_is_a_page_of_ours(owner_client: Client) -> None:
    response = owner_client.get("/photo/999999999")
    assert "Go to the photos" in assert_sound(response)


@pytest.mark.parametrize(
    ("exif", "expected"),
    [
        ({}, ""),
        ({"ExposureTime": "1/60", "FNumber": [1.8, 0]}, "1/60 s · f/1.8"),
        ({"ExposureTime": 2.5, "ISOSpeedRatings": [400, 0]}, "2.5 s · ISO 400"),
        ({"ExposureTime": 0, "FNumber": "nan", "FocalLength": "x", "ISOSpeedRatings": []}, ""),
        ({"FNumber": "1/0", "FocalLength": -5}, ""),
    ],
)
def test_exposure_takes_what_cameras_write(exif: dict[str, Any], expected: str) -> None:
    assert exposure(exif) == expected


def test_offsets_and_places_in_words() -> None:
    assert [utc_offset(minutes) for minutes in (None, 0, -210, 345)] == ["", "+00:00", "-03:30", "+05:45"]
    assert coordinates(Photo(latitude=-1.5, longitude=2.25)) == "1.50000° S, 2.25000° E"
    assert coordinates(Photo(latitude=-1.5)) == ""


def test_names_of_a_place_lead_to_the_photos_taken_there(owner_client: Client) -> None:
    place = Place.objects.create(city="Luxembourg", country="Luxembourg", region="Grand “Duchy”")
    html = page(owner_client, make_photo(place=place))
    assert html.count("?q=place:%22") == 2
    assert "?q=place:%22Luxembourg%22" in html


def test_a_photo_that_was_found_by_its_text_shows_where(owner_client: Client) -> None:
    photo = make_photo()
    lines = ["Tierarzt Dr. Krause", "RECEIPTS", "total 12.80", "thank you"]
    blocks = [
        {"text": line, "confidence": 0.9, "box": [0.1, n / 10, 0.5, 0.1]} for n, line in enumerate(lines)
    ]
    add_text(photo, "\n".join(lines), blocks=blocks)
    url = f"/photo/{photo.pk}"
    assert 'class="found"' not in page(owner_client, photo)
    for q, found in {
        "receipt": {2},
        '"krause receipt" cat': {1, 2},
        "-receipt tag:x": set(),
        "<b>": set(),
    }.items():
        html = assert_sound(owner_client.get(url, {"q": q}))
        marked = {n for n in range(1, 5) if f'<rect id="block-{n}" class="found"' in html}
        assert marked == found, q
        assert html.count("<mark>") == len(found)
        assert f"/search?q={quote(q, safe='')}#hit-{photo.pk}" in html
