"""Reading originals: identities, renditions, failures; and that originals stay as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from PIL import Image

from ingest.files_lane import PHOTOS_A_THREAD, FilesLane
from ingest.ledger import retry_photos
from ingest.models import StepRun
from ingest.steps import preprocessing
from ingest.steps.preprocessing import RenditionsNotWritten
from ingest.tests.engines import Engines
from ingest.tests.pictures import NO_JPEG, Album, attempts_of, jpeg, states, steps_of, turned
from library.models import Photo, PhotoFile, Tag, TagMapping
from library.storage import rendition_path
from library.tests.factories import add_tag

pytestmark = pytest.mark.django_db

State = Photo.State


def renditions(photo: Photo) -> list[bool]:
    return [rendition_path(photo.sha256 or "", kind).exists() for kind in ("thumbnail", "preview")]


def test_a_picture_is_read_once_and_can_be_shown(album: Album) -> None:
    album.put("one.jpg", 1)
    album.scan()
    album.read()
    photo = album.photo("one.jpg")
    assert photo.state == State.PROCESSING_OBJECTS
    assert (photo.width, photo.height, photo.format) == (96, 64, "JPEG")
    assert photo.sha256 == album.prints()["one.jpg"][0]
    assert photo.thumbhash
    assert photo.colour_rows.exists()
    assert photo.taken_source == Photo.TakenSource.FILE
    assert renditions(photo) == [True, True]
    assert photo in Photo.objects.shown()
    assert (photo.leased_by, photo.lease_until) == ("", None)
    run = StepRun.objects.get(photo=photo)
    assert (run.step, run.engine, run.status, run.attempts) == (
        "preprocessing",
        preprocessing.engine_id(),
        "done",
        1,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright(album: Album, orientation: int) -> None:
    album.put("one.jpg", turned(orientation))
    album.scan()
    album.read()
    photo = album.photo("one.jpg")
    assert (photo.width, photo.height) == (96, 64)
    with Image.open(rendition_path(photo.sha256 or "", "preview")) as preview:
        assert preview.size == (96, 64)
        red, green, blue = preview.convert("RGB").getpixel((10, 10))
        assert red > 150 > green
        assert not preview.getexif()


def test_the_same_bytes_in_one_batch_are_one_photo(album: Album) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        album.put(name, 1)
    album.put("d.jpg", 2)
    album.scan()
    album.read()
    assert Photo.objects.count() == 2
    assert album.names(album.photo("a.jpg")) == ["a.jpg", "b.jpg", "c.jpg"]


def test_the_same_bytes_are_decoded_once(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    real = preprocessing.read_picture
    monkeypatch.setattr(
        preprocessing, "read_picture", lambda data, **options: decoded.append(1) or real(data, **options)
    )
    for number in range(9):
        album.put(f"{number}.jpg", 1)
    album.scan()
    album.read()
    assert len(decoded) == 1
    assert Photo.objects.count() == 1
    assert PhotoFile.objects.count() == 9


def test_a_broken_file_fails_with_the_reason_and_its_neighbours_do_not(album: Album) -> None:
    album.put("broken.jpg", NO_JPEG)
    album.put("cut.jpg", jpeg(1, (640, 480))[:3000])
    album.put("good.jpg", 2)
    album.scan()
    album.read()
    assert states() == {
        "broken.jpg": State.FAILED,
        "cut.jpg": State.FAILED,
        "good.jpg": State.PROCESSING_OBJECTS,
    }
    for name in ("broken.jpg", "cut.jpg"):
        photo = album.photo(name)
        run = StepRun.objects.get(photo=photo)
        assert photo.error_message == run.error != ""
        assert run.status == StepRun.Status.FAILED
        assert photo not in Photo.objects.shown()


def test_a_bomb_is_refused_by_the_setting(album: Album, settings: Any) -> None:
    settings.MAX_PIXELS = 1000
    album.put("one.jpg", 1)
    album.scan()
    album.read()
    assert "MAX_PIXELS" in album.photo("one.jpg").error_message


def test_an_unreadable_file_fails_with_its_path_and_the_reason(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("closed.jpg", 1)
    album.put("open.jpg", 2)
    real = preprocessing.read_original

    def read(path: bytes, **options: Any) -> Any:
        if path.endswith(b"closed.jpg"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, **options)

    monkeypatch.setattr(preprocessing, "read_original", read)
    album.scan()
    album.read()
    assert states() == {"closed.jpg": State.FAILED, "open.jpg": State.PROCESSING_OBJECTS}
    assert album.photo("closed.jpg").error_message == f"{album.folder}/closed.jpg: Permission denied"


def test_a_file_that_vanished_since_the_scan_fails_with_the_reason(album: Album) -> None:
    path = album.put("one.jpg", 1)
    album.scan()
    path.unlink()
    album.read()
    photo = album.photo("one.jpg")
    assert photo.state == State.FAILED
    assert photo.error_message == f"{path}: No such file or directory"


def test_a_second_file_is_tried_when_the_first_cannot_be_read(album: Album) -> None:
    path = album.put("one.jpg", 1)
    album.put("two.jpg", 1)
    album.scan()
    album.read()
    path.unlink()
    Photo.objects.update(state=State.PENDING)
    album.read()
    assert album.photo("two.jpg").state == State.PROCESSING_OBJECTS


def test_an_edited_file_is_a_new_content_of_its_photo(
    album: Album, engines: Engines, django_capture_on_commit_callbacks: Any
) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    photo = album.photo("one.jpg")
    old = photo.sha256 or ""
    album.put("one.jpg", jpeg(2, (64, 96)))
    album.scan()
    engines.absent.add("reader")
    with django_capture_on_commit_callbacks(execute=True):
        album.process()
    again = album.photo("one.jpg")
    assert again.pk == photo.pk
    assert again.sha256 == album.prints()["one.jpg"][0] != old
    assert (again.width, again.height) == (64, 96)
    assert renditions(again) == [True, True]
    assert not rendition_path(old, "preview").exists()
    assert not rendition_path(old, "thumbnail").exists()
    assert attempts_of(photo)["faces"] == 2
    assert attempts_of(photo)["hash"] == 2
    # What an engine saw in the old picture is gone, also when it cannot look at the new one.
    assert steps_of(photo)["ocr"] == StepRun.Status.SKIPPED
    assert not hasattr(again, "ocr_text")


def test_a_file_edited_to_something_broken_shows_nothing_any_more(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    album.put("one.jpg", NO_JPEG)
    album.take_in()
    photo = album.photo("one.jpg")
    assert photo.state == State.FAILED
    assert photo not in Photo.objects.shown()
    album.put("one.jpg", 3)
    album.take_in()
    photo.refresh_from_db()
    assert photo.state == State.COMPLETED
    assert photo in Photo.objects.shown()


def test_a_file_that_became_unreadable_keeps_its_pictures(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    album.put("one.jpg", 2)
    album.scan()

    def read(path: bytes, **options: Any) -> Any:
        raise OSError(5, "Input/output error", path)

    with monkeypatch.context() as patch:
        patch.setattr(preprocessing, "read_original", read)
        album.process()
    photo = album.photo("one.jpg")
    assert photo.state == State.FAILED
    assert photo in Photo.objects.shown()
    assert renditions(photo) == [True, True]
    retry_photos(Photo.objects.all())
    album.process()
    assert album.photo("one.jpg").state == State.COMPLETED
    assert album.photo("one.jpg").sha256 == album.prints()["one.jpg"][0]


def stories(album: Album, *names: str) -> dict[str, int]:
    """Tag the photo of each file with the file's name."""
    for name in names:
        add_tag(album.photo(name), f"story of {name}")
    return {name: album.photo(name).pk for name in names}


def test_two_files_that_swap_their_contents_swap_their_photos(album: Album, engines: Engines) -> None:
    album.put("a.jpg", 1)
    album.put("b.jpg", 2)
    album.take_in()
    before = stories(album, "a.jpg", "b.jpg")
    looked_at = engines.reader_fake.looked_at
    a, b = album.folder / "a.jpg", album.folder / "b.jpg"
    a.rename(album.folder / "t")
    b.rename(a)
    (album.folder / "t").rename(b)
    album.take_in()
    assert Photo.objects.count() == 2
    assert {name: album.photo(name).pk for name in before} == {
        "a.jpg": before["b.jpg"],
        "b.jpg": before["a.jpg"],
    }
    for name in before:
        photo = album.photo(name)
        assert photo.sha256 == album.prints()[name][0]
        assert photo.state == State.COMPLETED
        assert photo.missing_since is None
        assert album.names(photo) == [name]
    assert engines.reader_fake.looked_at == looked_at


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_three_files_that_take_turns_take_their_photos_along(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("ingest.files_lane.PHOTOS_A_THREAD", batch)
    names = ("a.jpg", "b.jpg", "c.jpg")
    for seed, name in enumerate(names):
        album.put(name, seed)
    album.take_in()
    before = stories(album, *names)
    for seed, name in enumerate(names):
        album.put(name, (seed + 1) % 3)
    album.take_in()
    assert Photo.objects.count() == 3
    assert [album.photo(name).pk for name in names] == [before[name] for name in ("b.jpg", "c.jpg", "a.jpg")]
    assert set(states().values()) == {State.COMPLETED}
    for photo in Photo.objects.all():
        assert album.prints()[album.names(photo)[0]][0] == photo.sha256


def test_a_copy_that_was_made_before_an_edit_keeps_the_old_photo(album: Album, engines: Engines) -> None:
    album.put("a.jpg", 1)
    album.take_in()
    before = stories(album, "a.jpg")
    album.put("copy.jpg", 1)
    album.put("a.jpg", 2)
    album.take_in()
    assert album.photo("copy.jpg").pk == before["a.jpg"]
    assert album.photo("a.jpg").pk != before["a.jpg"]
    assert set(states().values()) == {State.COMPLETED}


def test_a_file_overwritten_by_a_known_picture_leaves_its_photo_missing(
    album: Album, engines: Engines
) -> None:
    album.put("a.jpg", 1)
    album.put("b.jpg", 2)
    album.take_in()
    before = stories(album, "a.jpg", "b.jpg")
    album.put("a.jpg", 2)
    album.take_in()
    gone = Photo.objects.get(pk=before["a.jpg"])
    assert gone.missing_since
    assert gone.state == State.COMPLETED
    assert gone not in Photo.objects.shown()
    assert album.names(album.photo("b.jpg")) == ["a.jpg", "b.jpg"]
    album.put("c.jpg", 1)
    album.take_in()
    assert album.photo("c.jpg") == gone
    gone.refresh_from_db()
    assert gone.missing_since is None


def test_a_waiting_photo_with_a_lost_lease_does_not_hold_up_its_copy(album: Album, engines: Engines) -> None:
    """A copy of a picture that is itself to be read again, and that a dead worker held last."""
    album.put("a.jpg", 1)
    album.take_in()
    album.put("a.jpg", 2)
    album.put("b.jpg", 1)
    album.scan()
    Photo.objects.filter(files__display_path="a.jpg").update(lost_leases=1)
    album.process()
    assert set(states().values()) == {State.COMPLETED}


def test_a_decoder_that_breaks_unexpectedly_fails_its_photo_only(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("bad.jpg", 1)
    album.put("good.jpg", 2)
    real = preprocessing.read_metadata

    def read(data: bytes, **options: Any) -> Any:
        if options["file_name"] == b"bad.jpg":
            raise ValueError("unheard of")
        return real(data, **options)

    monkeypatch.setattr(preprocessing, "read_metadata", read)
    album.scan()
    album.read()
    assert states() == {"bad.jpg": State.FAILED, "good.jpg": State.PROCESSING_OBJECTS}
    assert album.photo("bad.jpg").error_message == "ValueError: unheard of"


def test_metadata_that_the_database_refuses_fails_its_photo_only(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("bad.jpg", 1)
    album.put("good.jpg", 2)
    real = preprocessing._fields

    def fields(*parts: Any) -> dict[str, Any]:
        found = real(*parts)
        # One of the two has a rating that no column holds.
        return found | {"rating": 1 << 40} if parts[2].description == "bad" else found

    real_metadata = preprocessing._metadata

    def metadata(read: preprocessing.ReadFile, *more: Any) -> Any:
        from dataclasses import replace

        found = real_metadata(read, *more)
        return replace(found, description="bad") if read.path.endswith(b"bad.jpg") else found

    monkeypatch.setattr(preprocessing, "_fields", fields)
    monkeypatch.setattr(preprocessing, "_metadata", metadata)
    album.scan()
    album.read()
    assert states() == {"bad.jpg": State.FAILED, "good.jpg": State.PROCESSING_OBJECTS}
    assert album.photo("bad.jpg").error_message.startswith("Its metadata cannot be stored")


def test_a_full_disk_stops_the_lane_and_fails_no_photo(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    album.put("one.jpg", 1)
    album.scan()

    def write(path: Path, data: bytes, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(preprocessing, "write_atomic", write)
        for _ in range(4):
            with pytest.raises(RenditionsNotWritten, match="No space left on device"):
                album.read()
    photo = album.photo("one.jpg")
    assert (photo.leased_by, photo.lost_leases) == ("", 0)
    album.read()
    assert states() == {"one.jpg": State.PROCESSING_OBJECTS}


def test_a_stop_gives_everything_back(album: Album) -> None:
    for seed in range(12):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    answers = iter([False])
    finished = FilesLane(should_stop=lambda: next(answers, True)).run()
    assert finished == PHOTOS_A_THREAD
    assert not Photo.objects.exclude(lease_until=None).exists()
    album.read()
    assert set(states().values()) == {State.PROCESSING_OBJECTS}


def test_a_photo_edited_while_it_is_read_is_read_again(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("one.jpg", 1)
    album.scan()
    real = preprocessing.read_metadata
    edited = []

    def read(data: bytes, **options: Any) -> Any:
        if not edited:
            edited.append(album.put("one.jpg", 2))
        return real(data, **options)

    monkeypatch.setattr(preprocessing, "read_metadata", read)
    album.process()
    old = album.photo("one.jpg")
    assert old.state == State.COMPLETED
    album.take_in()
    photo = album.photo("one.jpg")
    assert photo.pk == old.pk
    assert photo.sha256 == album.prints()["one.jpg"][0] != old.sha256


def test_originals_are_the_same_before_and_after_everything(album: Album, engines: Engines) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.put("copy.jpg", 1)
    album.put("broken.jpg", NO_JPEG)
    album.put("empty.jpg", b"")
    album.put("turned.jpg", turned(6))
    album.put("1.xmp", b"<x/>")
    os.chmod(album.folder / "0.jpg", 0o444)
    before = album.prints()
    TagMapping.objects.create(tag=Tag.objects.create(name="thing"), category_id=_category())
    album.take_in()
    album.take_in()
    retry_photos(Photo.objects.all())
    album.process()
    assert album.prints() == before


def _category() -> int:
    from library.models import Category

    return Category.objects.create(slug="things", name="Things").pk


def test_queries_do_not_grow_with_duplicates(album: Album) -> None:
    """One statement a photo is fine, a scan of the library a photo is not."""
    from django.test.utils import CaptureQueriesContext

    def cost(count: int, first: int) -> float:
        for number in range(first, first + count):
            album.put(f"{number}.jpg", number)
        album.scan()
        with CaptureQueriesContext(connection) as captured:
            album.read()
        return len(captured) / count

    assert cost(12, 100) <= cost(4, 0)


def test_a_file_that_returns_after_its_copy_was_edited_is_its_own_picture(album: Album) -> None:
    album.put("away.jpg", 1)
    album.put("stays.jpg", 1)
    album.scan()
    album.read()
    away = album.folder / "away.jpg"
    kept, times = away.read_bytes(), away.stat()
    away.unlink()
    album.scan()
    album.put("stays.jpg", 2)
    album.scan()
    album.read()
    away.write_bytes(kept)
    os.utime(away, ns=(times.st_atime_ns, times.st_mtime_ns))
    album.scan()
    album.read()
    prints = album.prints()
    for name in ("away.jpg", "stays.jpg"):
        assert album.photo(name).sha256 == prints[name][0]


def test_whatever_goes_wrong_in_reading_one_photo_is_told_with_it(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    culprit, real = album.photo("1.jpg").pk, preprocessing.read

    def read(source: Any) -> Any:
        if source.photo_id == culprit:
            raise ValueError("a sidecar nobody foresaw")
        return real(source)

    monkeypatch.setattr("ingest.files_lane.read", read)
    album.read()
    assert states() == {
        "0.jpg": State.PROCESSING_OBJECTS,
        "1.jpg": State.FAILED,
        "2.jpg": State.PROCESSING_OBJECTS,
    }
    assert "a sidecar nobody foresaw" in album.photo("1.jpg").error_message
