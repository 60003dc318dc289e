"""Bytes of photos: for whom, under which name, cached for how long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import Client

from library.models import Photo
from library.storage import rendition_path
from library.tests.factories import make_photo, make_renditions, make_root
from library.views.media import content_disposition

pytestmark = pytest.mark.django_db
CONTENT = b"0123456789"


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """A photo with renditions and an original of ten bytes."""
    (tmp_path / "a.jpg").write_bytes(CONTENT)
    found = make_photo("a.jpg", root=make_root(bytes(tmp_path)))
    make_renditions(found)
    return found


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["thumbnail", "preview", "original"])
def test_only_those_who_are_logged_in_see_pictures(client: Client, photo: Photo, kind: str) -> None:
    response = client.get(f"/{kind}/{photo.pk}")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


@pytest.mark.parametrize("kind", ["thumbnail", "preview", "original"])
def test_the_address_with_the_version_is_cached_for_ever(
    member_client: Client, photo: Photo, kind: str
) -> None:
    response = member_client.get(f"/{kind}/{photo.pk}?v={(photo.sha256 or '')[:12]}")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/jpeg"
    assert "immutable" in response["Cache-Control"]
    assert "max-age=31536000" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox"
    assert body(response)


@pytest.mark.parametrize("query", ["", "?v=", "?v=000000000000"])
def test_any_other_address_is_asked_for_again(member_client: Client, photo: Photo, query: str) -> None:
    response = member_client.get(f"/preview/{photo.pk}{query}")
    assert "no-cache" in response["Cache-Control"]
    assert "immutable" not in response["Cache-Control"]
    assert body(response)


@pytest.mark.parametrize("kind", ["thumbnail", "preview", "original"])
def test_what_the_browser_has_is_not_sent_again(member_client: Client, photo: Photo, kind: str) -> None:
    first = member_client.get(f"/{kind}/{photo.pk}")
    assert body(first)
    for known in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}'):
        second = member_client.get(f"/{kind}/{photo.pk}", headers={"If-None-Match": known})
        assert second.status_code == 304
        assert second["ETag"] == first["ETag"]
        assert not second.content
    third = member_client.get(f"/{kind}/{photo.pk}", headers={"If-None-Match": '"other"'})
    assert third.status_code == 200
    assert body(third)


def test_head_sends_no_bytes(member_client: Client, photo: Photo) -> None:
    response = member_client.head(f"/original/{photo.pk}")
    assert response.status_code == 200
    assert response["Content-Length"] == "10"
    assert body(response) == b""
    assert member_client.post(f"/original/{photo.pk}").status_code == 405


def test_a_rendition_that_is_gone_is_not_remembered(member_client: Client, photo: Photo) -> None:
    rendition_path(photo.sha256 or "", "thumbnail").unlink()
    response = member_client.get(f"/thumbnail/{photo.pk}?v={(photo.sha256 or '')[:12]}")
    assert response.status_code == 404
    assert response["Cache-Control"] == "no-store"


def test_a_photo_that_was_never_read_has_no_bytes(member_client: Client) -> None:
    unread = make_photo(sha256=None, renditions_at=None)
    for kind in ("thumbnail", "preview", "original"):
        assert member_client.get(f"/{kind}/{unread.pk}").status_code == 404


def test_the_original_is_a_download_under_its_name(member_client: Client, photo: Photo) -> None:
    response = member_client.get(f"/original/{photo.pk}")
    assert response["Content-Disposition"] == "attachment; filename=\"a.jpg\"; filename*=UTF-8''a.jpg"
    assert body(response) == CONTENT


def test_an_original_that_is_gone(member_client: Client, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").unlink()
    assert member_client.get(f"/original/{photo.pk}").status_code == 404


def test_a_pipe_where_the_original_was_keeps_nobody_waiting(
    member_client: Client, photo: Photo, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    assert member_client.get(f"/original/{photo.pk}").status_code == 404


def test_formats_that_browsers_might_run_are_only_bytes(member_client: Client, photo: Photo) -> None:
    Photo.objects.filter(pk=photo.pk).update(format="SVG")
    response = member_client.get(f"/original/{photo.pk}")
    assert response["Content-Type"] == "application/octet-stream"
    assert body(response)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Fête ü.jpg", "attachment; filename=\"F_te _.jpg\"; filename*=UTF-8''F%C3%AAte%20%C3%BC.jpg"),
        (
            'a"b\\c\r\nX: y.jpg',
            "attachment; filename=\"a_b_c__X: y.jpg\"; filename*=UTF-8''a%22b%5Cc__X%3A%20y.jpg",
        ),
        ("", "attachment; filename=\"photo\"; filename*=UTF-8''photo"),
    ],
)
def test_names_of_downloads(name: str, expected: str) -> None:
    assert content_disposition(name) == expected


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", CONTENT, "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
    ],
)
def test_a_part_of_the_original(
    member_client: Client, photo: Photo, wanted: str, expected: bytes, content_range: str
) -> None:
    response = member_client.get(f"/original/{photo.pk}", headers={"Range": wanted})
    assert response.status_code == 206
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(expected))
    assert body(response) == expected


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=-0"])
def test_a_part_outside_the_file(member_client: Client, photo: Photo, wanted: str) -> None:
    response = member_client.get(f"/original/{photo.pk}", headers={"Range": wanted})
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "x"])
def test_ranges_that_make_no_sense_are_ignored(member_client: Client, photo: Photo, wanted: str) -> None:
    response = member_client.get(f"/original/{photo.pk}", headers={"Range": wanted})
    assert response.status_code == 200
    assert body(response) == CONTENT


def test_a_range_of_another_content_gets_the_whole(member_client: Client, photo: Photo) -> None:
    response = member_client.get(f"/original/{photo.pk}", headers={"Range": "bytes=2-4", "If-Range": '"old"'})
    assert response.status_code == 200
    assert body(response) == CONTENT
