"""Pages cost the same number of queries whether they show ten photos or a hundred."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from library.models import DuplicatePair, Photo
from library.tests.factories import add_description, add_tag, add_text, make_file, make_photo
from people.tests.factories import add_face

pytestmark = pytest.mark.django_db


def make_rich_photo() -> Photo:
    photo = make_photo()
    make_file(photo, f"second/{photo.pk}.jpg")
    for name in ("cat", "sofa"):
        add_tag(photo, name)
    add_face(photo)
    add_text(photo, "word")
    add_description(photo, "A cat on a sofa.")
    photo.steps.create(step="ocr", status="done")
    return photo


def queries(visit: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        visit()
    return len(captured)


@pytest.mark.parametrize("which", ["owner_client", "member_client"])
@pytest.mark.parametrize("address", ["/", "/?year=2019", "/duplicates"])
def test_lists(which: str, address: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(which)

    def visit() -> None:
        assert client.get(address).status_code == 200

    def add(count: int) -> None:
        photos = [make_rich_photo() for _ in range(count)]
        for one, two in zip(photos, photos[1:], strict=False):
            DuplicatePair.objects.create(first=one, second=two, distance=3)

    add(5)
    visit()
    few = queries(visit)
    add(50)
    assert queries(visit) == few


def test_the_photo_page(owner_client: Client) -> None:
    photo = make_rich_photo()
    DuplicatePair.objects.create(first=photo, second=make_rich_photo(), distance=3)

    def visit() -> None:
        assert owner_client.get(f"/photo/{photo.pk}").status_code == 200

    visit()
    few = queries(visit)
    for _ in range(20):
        DuplicatePair.objects.create(first=photo, second=make_rich_photo(), distance=3)
        add_face(photo)
        make_file(photo, f"more/{Photo.objects.count()}.jpg")
    assert queries(visit) == few


def test_the_list_of_photos_in_the_admin(owner_client: Client) -> None:
    def visit() -> None:
        assert owner_client.get("/admin/library/photo/").status_code == 200

    make_rich_photo()
    visit()
    few = queries(visit)
    for _ in range(30):
        make_rich_photo()
    assert queries(visit) == few


def test_the_timeline_is_read_from_its_index(owner_client: Client) -> None:
    Photo.objects.bulk_create(
        Photo(sha256=f"{n:064x}", renditions_at="2020-01-01T00:00Z", taken_local="2020-01-01T00:00Z")
        for n in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE library_photo")
        with CaptureQueriesContext(connection) as captured:
            owner_client.get("/?cursor=2020-01-01T00:00:00_100000000")
        statement = next(q["sql"] for q in captured if "taken_local" in q["sql"] and "LIMIT 51" in q["sql"])
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "photo_timeline" in plan, plan
