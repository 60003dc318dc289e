"""The commands, called as a person calls them."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django_q.models import OrmQ, Schedule

from ingest.models import ScanSession, StepRun
from ingest.tests.engines import Engines
from ingest.tests.pictures import NO_JPEG, Album, states
from library.models import Category, Photo, Root, TagMapping
from library.storage import rendition_path
from vision.tests.imaging_support import encoded, quarters

pytestmark = pytest.mark.django_db


def call(*args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


def told(*args: str) -> Any:
    return json.loads(call(*args, "--json"))


@pytest.fixture
def small_album(album: Album) -> Album:
    """Six good pictures of several kinds, a broken one, and things that are none."""
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.put("sub/copy.jpg", 1)
    album.put("four.png", encoded(quarters(), "PNG"))
    album.put("five.webp", encoded(quarters(64, 96), "WEBP"))
    album.put("six.gif", encoded(quarters(40, 40).convert("P"), "GIF"))
    album.put("broken.jpg", NO_JPEG)
    album.put("empty.jpg", b"")
    album.put("film.mov", b"x")
    return album


def test_quickstart_takes_a_folder_to_the_end_and_says_so_in_json(
    small_album: Album, engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    before = small_album.prints()
    result = told("quickstart", str(small_album.folder), "--no-serve")
    assert result["photos"] == {"total": 7, "completed": 6, "failed": 1}
    assert set(result["steps"]) == {step.value for step in StepRun.Step} - {"descriptions"}
    assert result["steps"]["preprocessing"]["done"] == 6
    assert result["steps"]["preprocessing"]["failed"] == 1
    assert result["steps"]["ocr"]["done"] == 6
    assert result["steps"]["ocr"]["seconds"] >= 0
    (failed,) = result["failed"]
    assert failed["path"] == "broken.jpg"
    assert failed["reason"]
    assert {skip["path"]: skip["reason"] for skip in result["skipped"]} == {
        "empty.jpg": "empty file",
        "film.mov": "not a supported picture: video (.mov)",
    }
    (scan,) = result["scans"]
    assert (scan["root"], scan["found"], scan["new"], scan["status"]) == (
        str(small_album.folder),
        8,
        8,
        "finished",
    )
    assert {engine["port"]: engine["live"] for engine in result["engines"]} == dict.fromkeys(
        ("embedder", "tagger", "reader", "faces", "hasher"), True
    )
    assert Category.objects.count() == 5
    assert Schedule.objects.count() == 5
    err = capsys.readouterr().err
    assert "password (shown only" in err.lower()
    assert small_album.prints() == before


def test_quickstart_a_second_time_changes_nothing_and_is_quick(
    small_album: Album, engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    told("quickstart", str(small_album.folder), "--no-serve")
    capsys.readouterr()
    books = list(StepRun.objects.order_by("pk").values())
    photos = list(Photo.objects.order_by("pk").values())
    started = time.monotonic()
    result = told("quickstart", str(small_album.folder), "--no-serve")
    assert time.monotonic() - started < 5
    (scan,) = result["scans"]
    assert (scan["unchanged"], scan["new"], scan["changed"]) == (8, 0, 0)
    assert list(StepRun.objects.order_by("pk").values()) == books
    assert list(Photo.objects.order_by("pk").values()) == photos
    assert "password" not in capsys.readouterr().err.lower()


def test_quickstart_tells_people_in_words(small_album: Album, engines: Engines) -> None:
    text = call("quickstart", str(small_album.folder), "--no-serve")
    assert f"{small_album.folder}: 8 pictures, 8 new, 0 changed, 0 gone, 2 left out." in text
    assert "left out 1: empty file" in text
    assert "7 photos: 6 completed, 0 partly, 1 failed" in text


def test_quickstart_without_weights_skips_and_goes_on(small_album: Album, engines: Engines) -> None:
    engines.absent = {"embedder"}
    result = told("quickstart", str(small_album.folder), "--no-serve")
    assert result["photos"]["completed"] == 6
    assert result["steps"]["embeddings"]["skipped"] == 6
    (embedder,) = [engine for engine in result["engines"] if engine["port"] == "embedder"]
    assert (embedder["live"], embedder["remedy"]) == (False, "Put them there.")


@pytest.mark.parametrize("command", [("quickstart", "--no-serve"), ("scan_library",)])
def test_a_folder_that_is_not_there_is_named(command: tuple[str, ...], album: Album) -> None:
    with pytest.raises(CommandError, match=f"{album.folder}/nowhere is not a folder"):
        call(*command, str(album.folder / "nowhere"))
    assert not ScanSession.objects.exists()


def test_nothing_to_scan_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="name a folder, or set PHOTOS_DIR"):
        call("scan_library")


def test_scan_library_scans_and_wakes_the_workers(small_album: Album) -> None:
    result = told("scan_library", str(small_album.folder))
    assert result["scans"][0]["new"] == 8
    assert set(result) == {"scans"}
    assert set(states().values()) == {Photo.State.PENDING}
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"files", "models"}


def test_scan_library_can_process_as_well(small_album: Album, engines: Engines) -> None:
    result = told("scan_library", str(small_album.folder), "--process")
    assert result["photos"] == {"total": 7, "completed": 6, "failed": 1}
    assert not OrmQ.objects.exists()


def test_scan_library_takes_several_folders_and_later_all_of_them(album: Album) -> None:
    album.put("a/1.jpg", 1)
    album.put("b/2.jpg", 2)
    told("scan_library", str(album.folder / "a"), str(album.folder / "b"))
    album.put("b/3.jpg", 3)
    result = told("scan_library")
    assert {scan["root"]: scan["new"] for scan in result["scans"]} == {
        str(album.folder / "a"): 0,
        str(album.folder / "b"): 1,
    }


def test_scan_library_without_a_folder_takes_those_of_the_settings(album: Album, settings: Any) -> None:
    album.put("1.jpg", 1)
    settings.PHOTOS_DIR = (album.folder,)
    assert told("scan_library")["scans"][0]["new"] == 1
    assert Root.objects.count() == 1
    assert len(told("scan_library")["scans"]) == 1


def test_scan_library_sets_the_priority(album: Album) -> None:
    album.put("1.jpg", 1)
    call("scan_library", str(album.folder), "--priority", "idle")
    assert Photo.objects.get().priority == Photo.Priority.IDLE


def test_scan_library_fails_when_a_known_root_is_away(album: Album) -> None:
    album.put("1.jpg", 1)
    call("scan_library", str(album.folder))
    album.folder.rename(album.folder.parent / "away")
    with pytest.raises(CommandError, match="photos cannot be read: No such file or directory"):
        call("scan_library")


def test_scan_library_asks_before_it_marks_very_many_files(album: Album) -> None:
    album.put("1.jpg", 1)
    call("scan_library", str(album.folder))
    (album.folder / "1.jpg").unlink()
    text = call("scan_library")
    assert "--accept-missing" in text
    assert Photo.objects.get().missing_since is None
    call("scan_library", "--accept-missing")
    assert Photo.objects.get().missing_since


def test_process_drains_the_ledger(small_album: Album, engines: Engines) -> None:
    small_album.scan()
    assert call("process").strip().endswith("7 photos: 6 completed, 0 partly, 1 failed, 0 left.")
    assert told("process")["photos"]["completed"] == 6


def test_process_tries_again_what_failed_when_asked_to(small_album: Album, engines: Engines) -> None:
    def bad(images: Any) -> None:
        raise RuntimeError("bad luck")

    engines.reader_fake.before = bad
    small_album.take_in()
    engines.reader_fake.before = lambda images: None
    assert told("process")["photos"]["partial"] == 6
    assert told("process", "--retry-failed")["photos"] == {"total": 7, "completed": 6, "failed": 1}
    assert StepRun.objects.get(photo__files__display_path="broken.jpg").attempts == 2


def test_process_repairs_lost_renditions(small_album: Album, engines: Engines) -> None:
    small_album.scan()
    call("process")
    photo = Photo.objects.shown().order_by("pk").first()
    assert photo is not None
    thumbnail = rendition_path(photo.sha256 or "", "thumbnail")
    before = thumbnail.read_bytes()
    thumbnail.unlink()
    call("process", "--repair", stderr=io.StringIO())
    assert thumbnail.read_bytes() == before
    photo.refresh_from_db()
    assert photo.state == Photo.State.COMPLETED
    assert set(photo.steps.exclude(step="preprocessing").values_list("attempts", flat=True)) == {1}


def test_library_status_tells_everything(small_album: Album, engines: Engines) -> None:
    engines.absent = {"faces"}
    small_album.take_in()
    text = call("library_status", no_color=True)
    assert "6 completed" in text
    assert "faces      not live: The weights of the faces are not there. Put them there." in text
    assert "hasher     fake_hasher/1" in text
    assert "broken.jpg: " in text
    assert "film.mov: not a supported picture: video (.mov)" in text
    result = told("library_status")
    assert result["photos"]["failed"] == 1
    assert result["steps"]["faces"]["skipped"] == 6


def test_library_status_of_an_empty_library(engines: Engines) -> None:
    assert told("library_status")["photos"] == {"total": 0}
    assert "0 total" in call("library_status", no_color=True)


def test_setup_library_prints_a_new_password_once() -> None:
    first = call("setup_library")
    password = first.split("shown only now): ")[1].split()[0]
    owner = get_user_model().objects.get(is_superuser=True)
    assert owner.check_password(password)
    again = call("setup_library")
    assert "assword" not in again
    assert owner.get_username() in again
    assert get_user_model().objects.count() == 1


def test_setup_library_uses_the_password_of_the_settings_and_does_not_print_it(settings: Any) -> None:
    settings.OWNER_USERNAME, settings.OWNER_PASSWORD = "olga", "correct horse battery"
    text = call("setup_library")
    assert "correct horse" not in text
    assert get_user_model().objects.get(username="olga").check_password("correct horse battery")


def test_setup_library_makes_nobody_an_owner_by_their_name(settings: Any) -> None:
    get_user_model().objects.create_user(username=settings.OWNER_USERNAME)
    with pytest.raises(CommandError, match="OWNER_USERNAME"):
        call("setup_library")


def test_setup_library_keeps_what_the_owner_made_of_the_categories() -> None:
    call("setup_library")
    Category.objects.filter(slug="food").delete()
    call("setup_library")
    assert sorted(Category.objects.values_list("slug", flat=True)) == [
        "documents",
        "electronics",
        "landscape",
        "people",
    ]
    assert TagMapping.objects.count() == 29


def test_a_folder_around_our_own_is_refused_before_anything_is_made(album: Album) -> None:
    album.put("one.jpg", 1)
    with pytest.raises(CommandError, match="Set DATA_DIR to a folder outside"):
        call("quickstart", str(album.folder.parent), "--no-serve")
    assert not Root.objects.exists()
    assert not Schedule.objects.exists()
