"""The moving part of a photo: who may play it, and which bytes are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from library.models import Photo, Root, RootViewer, VideoPart
from library.tests.factories import make_photo, make_root
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db

VIDEO = b"0123456789"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return make_root(str(tmp_path).encode())


@pytest.fixture
def motion(root: Root, tmp_path: Path) -> Photo:
    (tmp_path / "a.jpg").write_bytes(b"picture" + VIDEO + b"trailer")
    photo = make_photo("a.jpg", root=root)
    VideoPart.objects.create(photo=photo, kind="motion", offset=7, length=10)
    return photo


@pytest.fixture
def live(root: Root, tmp_path: Path) -> Photo:
    (tmp_path / "a.mov").write_bytes(VIDEO)
    photo = make_photo("a.jpg", root=root)
    VideoPart.objects.create(photo=photo, kind="live", root=root, relative_path=b"a.mov")
    return photo


def get(client: Client, photo: Photo, **headers: str) -> Any:
    return client.get(reverse("library:video", args=[photo.pk]), headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


@pytest.mark.parametrize("kind", ["motion", "live"])
def test_the_video_is_sent_whole_and_in_parts(
    owner_client: Client, kind: str, request: pytest.FixtureRequest
) -> None:
    photo = request.getfixturevalue(kind)
    whole = get(owner_client, photo)
    assert (whole.status_code, whole["Content-Type"], whole["Content-Length"]) == (200, "video/mp4", "10")
    assert body(whole) == VIDEO
    part = get(owner_client, photo, Range="bytes=2-4")
    assert (part.status_code, part["Content-Range"], body(part)) == (206, "bytes 2-4/10", b"234")
    tail = get(owner_client, photo, Range="bytes=-3")
    assert body(tail) == b"789"
    beyond = get(owner_client, photo, Range="bytes=10-")
    assert (beyond.status_code, beyond["Content-Range"]) == (416, "bytes */10")
    assert get(owner_client, photo, **{"If-None-Match": whole["ETag"]}).status_code == 304


def test_a_photo_that_does_not_move_has_none(owner_client: Client) -> None:
    assert get(owner_client, make_photo()).status_code == 404


def test_a_video_that_is_gone_is_not_there(owner_client: Client, live: Photo, tmp_path: Path) -> None:
    (tmp_path / "a.mov").unlink()
    assert get(owner_client, live).status_code == 404


@pytest.mark.parametrize("kind", ["motion", "live"])
def test_closed_folders_stay_closed(
    owner: Any, member_client: Client, root: Root, kind: str, request: pytest.FixtureRequest
) -> None:
    photo = request.getfixturevalue(kind)
    assert body(get(member_client, photo)) == VIDEO
    RootViewer.objects.create(root=root, user=owner)
    assert get(member_client, photo).status_code == 404
    assert get(Client(), photo).status_code in (302, 403)


def test_a_video_in_a_closed_folder_is_not_shown_by_an_open_copy(
    owner: Any, member_client: Client, live: Photo
) -> None:
    closed = make_root()
    RootViewer.objects.create(root=closed, user=owner)
    VideoPart.objects.update(root=closed)
    assert get(member_client, live).status_code == 404


def test_page_and_grid_say_that_it_moves(owner_client: Client, motion: Photo) -> None:
    still = make_photo()
    page = assert_sound(owner_client.get(reverse("library:photo", args=[motion.pk])))
    assert "<video" in page
    assert reverse("library:video", args=[motion.pk]) in page
    assert "<video" not in assert_sound(owner_client.get(reverse("library:photo", args=[still.pk])))
    grid = assert_sound(owner_client.get(reverse("library:timeline")))
    assert grid.count('class="moves"') == 1
