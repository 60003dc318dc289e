"""Copies with other names and dates: the photo is the same whichever is read first, and reading ends."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest import files_lane
from ingest.files_lane import FilesLane
from ingest.tests.pictures import Album
from library.models import Photo, Root, RootViewer
from library.tests.factories import make_user

pytestmark = pytest.mark.django_db

NAMES = ("a.jpg", "b.jpg", "c.jpg")


def copies(album: Album, *names: str, seconds: dict[str, int]) -> None:
    """The same bytes under each name, with these times of change."""
    for name in names:
        path = album.put(name, 1)
        os.utime(path, (seconds[name], seconds[name]))


def taken(seconds: int) -> tuple[datetime, str]:
    return datetime.fromtimestamp(seconds, UTC), "file"


def read_from(photo: Photo) -> tuple[datetime | None, str]:
    return photo.taken_at, photo.taken_source


@pytest.mark.parametrize("eldest", NAMES)
@pytest.mark.parametrize("arrival", ["together", "one by one"])
def test_the_eldest_copy_dates_the_photo_whichever_is_read_first(
    album: Album, eldest: str, arrival: str
) -> None:
    seconds = {name: 1_500_000_000 + 60 * number for number, name in enumerate(NAMES)}
    seconds[eldest] = 1_400_000_000
    for name in NAMES:
        copies(album, name, seconds=seconds)
        if arrival == "one by one":
            album.scan()
            album.read()
    album.scan()
    album.read()
    assert Photo.objects.count() == 1
    assert read_from(album.photo("a.jpg")) == taken(seconds[eldest])


def test_a_copy_without_a_time_of_its_own_does_not_date_the_photo(album: Album) -> None:
    copies(album, "a.jpg", "b.jpg", seconds={"a.jpg": 0, "b.jpg": 1_500_000_000})
    album.scan()
    album.read()
    assert read_from(album.photo("a.jpg")) == taken(1_500_000_000)


def test_a_copy_that_returns_dates_the_photo_that_was_read_without_it(album: Album) -> None:
    seconds = {"a.jpg": 1_400_000_000, "b.jpg": 1_500_000_000}
    copies(album, "a.jpg", "b.jpg", seconds=seconds)
    album.scan()
    album.read()
    away = album.folder / "away"
    (album.folder / "a.jpg").rename(away)
    album.scan()
    Photo.objects.update(state=Photo.State.PENDING)
    album.read()
    assert read_from(album.photo("b.jpg")) == taken(seconds["b.jpg"])
    away.rename(album.folder / "a.jpg")
    album.scan()
    album.read()
    assert read_from(album.photo("b.jpg")) == taken(seconds["a.jpg"])


def test_a_younger_copy_is_no_reason_to_read_again(album: Album) -> None:
    copies(album, "a.jpg", seconds={"a.jpg": 1_400_000_000})
    album.scan()
    album.read()
    before = album.photo("a.jpg").renditions_at
    copies(album, "b.jpg", seconds={"b.jpg": 1_500_000_000})
    album.scan()
    album.read()
    assert album.photo("b.jpg").renditions_at == before


def test_the_name_of_the_eldest_counts(album: Album) -> None:
    seconds = {"x.jpg": 1_600_000_000, "IMG_20190704_123456.jpg": 1_500_000_000}
    copies(album, "x.jpg", seconds=seconds)
    album.scan()
    album.read()
    copies(album, "IMG_20190704_123456.jpg", seconds=seconds)
    album.scan()
    album.read()
    photo = album.photo("x.jpg")
    assert (photo.taken_source, f"{photo.taken_local:%Y-%m-%d %H:%M}") == ("filename", "2019-07-04 12:34")


def test_the_name_of_a_closed_folder_tells_nothing_about_an_open_one(album: Album, tmp_path: Any) -> None:
    copies(album, "a.jpg", seconds={"a.jpg": 1_500_000_000})
    closed = Album(tmp_path / "closed")
    copies(closed, "IMG_20190704_123456.jpg", seconds={"IMG_20190704_123456.jpg": 1_400_000_000})
    closed.scan()
    RootViewer.objects.create(root=Root.objects.latest("pk"), user=make_user())
    closed.read()
    album.scan()
    album.read()
    assert read_from(album.photo("a.jpg")) == taken(1_500_000_000)


@pytest.mark.parametrize("seed", range(4))
def test_a_photo_in_many_albums_of_a_takeout_is_read_to_an_end(
    album: Album, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each copy brings news, so the photo is read again; that must not start all over for the others."""
    dice = random.Random(seed)  # noqa: S311 - an order, no secret
    monkeypatch.setattr(files_lane, "PHOTOS_A_THREAD", seed + 1)
    folders = dice.sample("abcdefg", 7)
    for folder in folders:
        album.put(f"{folder}/x.jpg", 1)
        album.put(f"{folder}/metadata.json", json.dumps({"title": f"Album {folder}"}).encode())
    album.scan()
    batches: list[int] = []

    def stop() -> bool:
        batches.append(1)
        return len(batches) > 40

    FilesLane(should_stop=stop).run()
    assert len(batches) < 40
    photo = Photo.objects.get()
    assert photo.state == Photo.State.PROCESSING_OBJECTS
    assert photo.albums.count() == 7
