"""What scans make of folders: new, changed, moved, vanished and returned files, and roots."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from ingest import roots
from ingest.models import ScanSession, StepRun
from ingest.roots import RootRefused, ScanTarget, register_folder, scan
from ingest.scanner import Area
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, states, steps_of
from library.models import DuplicatePair, Photo, PhotoFile, Root
from library.tests.factories import add_tag
from search.models import SearchDocument
from vision.tests.imaging_support import encoded, noise

pytestmark = pytest.mark.django_db

State = Photo.State


def counts(session: ScanSession) -> dict[str, int]:
    names = ("found", "new", "changed", "returned", "vanished", "unchanged", "skipped")
    return {name: n for name in names if (n := getattr(session, name))}


def rows_written() -> dict[str, int]:
    """Rows inserted, updated and deleted in this transaction, by table, as PostgreSQL counts them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {table: rows for table, rows in cursor.fetchall() if rows}


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a folder unreadable, also for root."""
    real: Callable[[Any], Iterator[Any]] = os.scandir
    folders: set[bytes] = set()

    def scandir(path: Any) -> Iterator[Any]:
        if os.fsencode(path) in folders:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return lambda path: folders.add(os.fsencode(path))


def test_new_files_become_photos_that_wait(album: Album) -> None:
    album.put("one.jpg", 1)
    album.put("b/two.jpg", 2)
    album.put("notes.qqq", b"x")
    session = album.scan(priority="high")
    assert counts(session) == {"found": 2, "new": 2, "skipped": 1}
    assert session.status == ScanSession.Status.FINISHED
    assert session.finished_at
    assert session.skips == [{"path": "notes.qqq", "reason": "not a picture (.qqq)"}]
    assert session.skip_reasons == {"not a picture (.qqq)": 1}
    photo = album.photo("b/two.jpg")
    assert (photo.state, photo.priority, photo.sha256) == (State.PENDING, Photo.Priority.HIGH, None)
    file = photo.files.get()
    stat = (album.folder / "b/two.jpg").stat()
    assert (file.size, file.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def test_a_second_scan_writes_nothing_but_its_own_session(album: Album, engines: Engines) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.put("broken.jpg", b"no picture")
    album.put("empty.jpg", b"")
    album.take_in()
    before = rows_written()
    session = album.take_in()
    assert counts(session) == {"found": 4, "unchanged": 4, "skipped": 1}
    after = rows_written()
    written = {table: n - before.get(table, 0) for table, n in after.items() if n != before.get(table, 0)}
    written.pop("ingest_workerreport", None)  # a worker tells of itself while it lives
    assert written == {"ingest_scansession": 2}


def test_names_of_any_bytes_are_taken(album: Album) -> None:
    path = os.path.join(os.fsencode(album.folder), b"\xff\xfe\n.jpg")
    Path(os.fsdecode(path)).write_bytes(b"x")
    album.scan()
    file = PhotoFile.objects.get()
    assert bytes(file.relative_path) == b"\xff\xfe\n.jpg"
    assert file.display_path == "\ufffd\ufffd\n.jpg"
    assert counts(album.scan()) == {"found": 1, "unchanged": 1}


def test_very_long_paths_are_taken(album: Album) -> None:
    folder = "/".join(["f" * 200] * 15)
    album.put(f"{folder}/one.jpg", 1)
    assert counts(album.scan()) == {"found": 1, "new": 1}


def test_a_file_changed_in_place_keeps_its_photo_and_is_read_again(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    photo = album.photo("one.jpg")
    album.put("one.jpg", 2)
    assert counts(album.scan()) == {"found": 1, "changed": 1}
    assert album.photo("one.jpg") == photo
    assert album.photo("one.jpg").state == State.PENDING


def test_a_file_touched_without_a_change_loses_nothing(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    photo = album.photo("one.jpg")
    looked_at = engines.reader_fake.looked_at
    album.put("one.jpg", 1)
    assert counts(album.take_in()) == {"found": 1, "changed": 1}
    again = album.photo("one.jpg")
    assert (again.pk, again.sha256, again.state) == (photo.pk, photo.sha256, State.COMPLETED)
    assert engines.reader_fake.looked_at == looked_at


def test_a_changed_file_leaves_its_photo_to_the_files_that_hold_the_old_bytes(
    album: Album, engines: Engines
) -> None:
    album.put("one.jpg", 1)
    album.put("copy.jpg", 1)
    album.take_in()
    photo = album.photo("one.jpg")
    assert album.photo("copy.jpg") == photo
    album.put("copy.jpg", 2)
    album.take_in()
    assert album.names(photo) == ["one.jpg"]
    assert album.photo("copy.jpg") != photo
    assert states() == {"one.jpg": State.COMPLETED, "copy.jpg": State.COMPLETED}


def test_a_moved_and_renamed_file_keeps_its_photo_and_its_story(album: Album, engines: Engines) -> None:
    album.put("IMG_1.jpg", 1)
    album.put("other.jpg", 2)
    album.take_in()
    photo = album.photo("IMG_1.jpg")
    add_tag(photo, "grandmother")
    (album.folder / "2019").mkdir()
    (album.folder / "IMG_1.jpg").rename(album.folder / "2019" / "Lisbon.jpg")
    session = album.take_in()
    assert counts(session) == {"found": 2, "new": 1, "vanished": 1, "unchanged": 1}
    photo.refresh_from_db()
    assert album.names(photo) == ["2019/Lisbon.jpg"]
    assert photo.missing_since is None
    assert photo.detected_objects.filter(tag__name="grandmother").exists()
    assert Photo.objects.count() == 2
    document = str(SearchDocument.objects.filter(photo=photo).values_list("document", flat=True)[0])
    assert "lisbon" in document
    assert "img" not in document


def test_the_same_bytes_in_two_places_are_one_photo(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.put("b/two.jpg", 1)
    album.take_in()
    assert Photo.objects.count() == 1
    photo = album.photo("one.jpg")
    assert album.names(photo) == ["b/two.jpg", "one.jpg"]
    (album.folder / "one.jpg").unlink()
    album.take_in()
    photo.refresh_from_db()
    assert photo.missing_since is None
    assert album.names(photo) == ["b/two.jpg"]


def test_a_vanished_file_is_missing_and_a_returned_one_is_back(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.put("two.jpg", 2)
    album.take_in()
    hidden = album.folder.parent / "away.jpg"
    (album.folder / "one.jpg").rename(hidden)
    assert counts(album.scan()) == {"found": 1, "vanished": 1, "unchanged": 1}
    photo = album.photo("one.jpg")
    assert photo.missing_since
    assert photo not in Photo.objects.shown()
    assert counts(album.scan()) == {"found": 1, "unchanged": 1}
    hidden.rename(album.folder / "one.jpg")
    assert counts(album.scan()) == {"found": 2, "returned": 1, "unchanged": 1}
    photo.refresh_from_db()
    assert photo.missing_since is None
    assert photo.state == State.COMPLETED
    assert photo.files.get().missing_since is None


def test_a_file_that_was_away_when_it_was_to_be_read_is_read_on_its_return(
    album: Album, engines: Engines
) -> None:
    album.put("one.jpg", 1)
    album.put("two.jpg", 2)
    album.scan()
    hidden = album.folder.parent / "away.jpg"
    (album.folder / "one.jpg").rename(hidden)
    album.process()
    assert states() == {"one.jpg": State.FAILED, "two.jpg": State.COMPLETED}
    album.scan()
    hidden.rename(album.folder / "one.jpg")
    album.take_in()
    assert states() == {"one.jpg": State.COMPLETED, "two.jpg": State.COMPLETED}
    assert album.photo("one.jpg").error_message == ""


def test_a_file_whose_disk_was_away_during_processing_is_read_at_the_next_scan(
    album: Album, engines: Engines
) -> None:
    album.put("one.jpg", 1)
    album.scan()
    hidden = album.folder.parent / "away"
    album.folder.rename(hidden)
    album.process()
    assert states() == {"one.jpg": State.FAILED}
    hidden.rename(album.folder)
    album.take_in()
    assert states() == {"one.jpg": State.COMPLETED}


def test_many_vanished_files_stop_the_scan_until_it_is_confirmed(album: Album) -> None:
    for number in range(24):
        album.put(f"a/{number}.jpg", b"%d" % number)
        album.put(f"b/{number}.jpg", b"b%d" % number)
    album.scan()
    shutil.rmtree(album.folder / "a")
    stopped = album.scan()
    assert stopped.status == ScanSession.Status.STOPPED
    assert "24 files" in stopped.message
    assert "--accept-missing" in stopped.message
    assert PhotoFile.objects.filter(missing_since=None).count() == 48
    assert counts(album.scan(accept_missing=True))["vanished"] == 24
    assert PhotoFile.objects.filter(missing_since=None).count() == 24


def test_an_empty_folder_stops_the_scan_however_few_files_it_had(album: Album) -> None:
    """The mount point of a disk that is not mounted."""
    album.put("one.jpg", 1)
    album.scan()
    (album.folder / "one.jpg").unlink()
    assert album.scan().status == ScanSession.Status.STOPPED
    assert album.photo("one.jpg").missing_since is None


def test_moving_many_files_is_no_unmounted_disk(album: Album) -> None:
    for number in range(30):
        album.put(f"a/{number}.jpg", b"%d" % number)
    album.scan()
    (album.folder / "a").rename(album.folder / "b")
    session = album.scan()
    assert session.status == ScanSession.Status.FINISHED
    assert counts(session) == {"found": 30, "new": 30, "vanished": 30}


def test_a_handful_of_deleted_files_needs_no_confirmation(album: Album) -> None:
    for number in range(12):
        album.put(f"{number}.jpg", b"%d" % number)
    album.scan()
    for number in range(10):
        (album.folder / f"{number}.jpg").unlink()
    assert counts(album.scan())["vanished"] == 10


def test_files_of_an_unreadable_folder_are_not_missing(album: Album, closed: Callable[[Path], None]) -> None:
    album.put("a/one.jpg", 1)
    album.put("a/deep/two.jpg", 2)
    album.put("ab.jpg", 3)
    album.scan()
    closed(album.folder / "a")
    session = album.scan()
    assert counts(session) == {"found": 1, "unchanged": 1, "skipped": 1}
    assert session.skip_reasons == {"folder cannot be read: Permission denied": 1}
    assert not PhotoFile.objects.exclude(missing_since=None).exists()


def test_files_that_may_not_be_looked_at_are_not_missing(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with read but without search permission: its names are listed, nothing more."""
    album.put("a/one.jpg", 1)
    album.put("two.jpg", 2)
    album.scan()
    from ingest import scanner
    from ingest.tests.test_scanner import _Closed

    real = scanner._entries
    monkeypatch.setattr(
        scanner, "_entries", lambda path: [_Closed(b"one.jpg")] if path.endswith(b"/a") else real(path)
    )
    assert counts(album.scan()) == {"found": 1, "unchanged": 1, "skipped": 1}
    assert album.photo("a/one.jpg").missing_since is None


def test_a_scan_of_a_subfolder_says_nothing_about_the_rest(album: Album) -> None:
    album.put("a/one.jpg", 1)
    album.put("ab/two.jpg", 2)
    album.put("three.jpg", 3)
    album.scan()
    (album.folder / "three.jpg").unlink()
    session = album.scan("a")
    assert bytes(session.subfolder) == b"a"
    assert Root.objects.count() == 1
    assert counts(session) == {"found": 1, "unchanged": 1}
    assert album.photo("three.jpg").missing_since is None


def test_a_folder_around_a_root_is_refused_with_both_names(album: Album) -> None:
    album.put("a/one.jpg", 1)
    album.scan("a")
    with pytest.raises(RootRefused, match=f"{album.folder} contains {album.folder}/a, which is a root"):
        album.scan()


def test_a_neighbour_with_a_longer_name_is_a_root_of_its_own(album: Album) -> None:
    album.put("a/one.jpg", 1)
    album.put("ab/two.jpg", 2)
    album.scan("a")
    album.scan("ab")
    assert sorted(Root.objects.values_list("name", flat=True)) == ["a", "ab"]


def test_a_link_to_a_root_is_that_root(album: Album) -> None:
    album.put("one.jpg", 1)
    album.scan()
    link = album.folder.parent / "link"
    link.symlink_to(album.folder)
    assert register_folder(str(link)).root == Root.objects.get()


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RootRefused, match=f"{tmp_path}/nowhere is not a folder"):
        register_folder(str(tmp_path / "nowhere"))


def test_a_file_is_no_root(album: Album) -> None:
    path = album.put("one.jpg", 1)
    with pytest.raises(RootRefused, match=r"one\.jpg is not a folder"):
        register_folder(str(path))


def test_our_own_data_folder_is_no_root(settings: Any) -> None:
    settings.THUMBNAIL_DIR.mkdir(parents=True)
    for folder in (settings.DATA_DIR, settings.THUMBNAIL_DIR):
        with pytest.raises(RootRefused, match="where Heirloom keeps its own files"):
            register_folder(str(folder))


def test_our_own_files_inside_a_root_are_not_imported(album: Album, settings: Any, engines: Engines) -> None:
    album.put("one.jpg", 1)
    target = ScanTarget(album.scan().root)
    settings.THUMBNAIL_DIR = album.folder / "renditions"  # moved there after the folder was taken in
    album.process()
    assert list(settings.THUMBNAIL_DIR.rglob("*.jpg"))
    assert counts(scan(target)) == {"found": 1, "unchanged": 1}
    with pytest.raises(RootRefused, match="keeps its own files"):
        album.scan()


def test_a_root_that_is_gone_fails_the_scan_and_marks_nothing(album: Album) -> None:
    album.put("one.jpg", 1)
    target = ScanTarget(album.scan().root)
    album.folder.rename(album.folder.parent / "away")
    session = scan(target)
    assert session.status == ScanSession.Status.FAILED
    assert session.message.startswith(f"{album.folder} cannot be read: No such file or directory")
    assert session.finished_at
    assert album.photo("one.jpg").missing_since is None


def test_an_interrupted_scan_keeps_what_it_did_and_is_closed_by_the_next(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.importer.CHUNK", 2)
    for number in range(5):
        album.put(f"{number}.jpg", b"%d" % number)

    def interrupt(found: int) -> None:
        if found >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(register_folder(str(album.folder)), progress=interrupt)
    assert Photo.objects.count() == 4
    assert counts(album.scan()) == {"found": 5, "new": 1, "unchanged": 4}
    assert list(ScanSession.objects.order_by("pk").values_list("status", "message")) == [
        ("failed", "The scan was interrupted; the next one went on from there."),
        ("finished", ""),
    ]


def two_sizes(album: Album) -> tuple[Photo, Photo]:
    """The same picture twice, the larger one in front."""
    picture = noise(480, 320, seed=5)
    album.put("large.jpg", encoded(picture, quality=95))
    album.put("small.jpg", encoded(picture.resize((432, 288)), quality=95))
    album.take_in()
    large, small = album.photo("large.jpg"), album.photo("small.jpg")
    assert DuplicatePair.objects.get().distance <= 8
    assert small.duplicate_of == large
    return large, small


def test_when_the_photo_in_front_vanishes_the_next_best_comes_forward(album: Album, engines: Engines) -> None:
    large, small = two_sizes(album)
    hidden = album.folder.parent / "away.jpg"
    (album.folder / "large.jpg").rename(hidden)
    album.scan()
    small.refresh_from_db()
    assert small.duplicate_of is None
    hidden.rename(album.folder / "large.jpg")
    album.scan()
    small.refresh_from_db()
    assert small.duplicate_of == large


def test_a_photo_in_front_that_is_renamed_stays_in_front(album: Album, engines: Engines) -> None:
    large, small = two_sizes(album)
    (album.folder / "large.jpg").rename(album.folder / "renamed.jpg")
    album.take_in()
    small.refresh_from_db()
    assert album.photo("renamed.jpg") == large
    assert small.duplicate_of == large


def test_an_edited_photo_leaves_its_old_group(album: Album, engines: Engines) -> None:
    large, small = two_sizes(album)
    album.put("large.jpg", 77)
    album.take_in()
    small.refresh_from_db()
    assert small.duplicate_of is None
    assert not DuplicatePair.objects.exists()


def test_tags_of_an_unchanged_file_survive_every_scan(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.take_in()
    photo = album.photo("one.jpg")
    add_tag(photo, "kept")
    album.take_in()
    assert photo.detected_objects.filter(tag__name="kept").exists()
    assert set(steps_of(photo).values()) <= {StepRun.Status.DONE, StepRun.Status.SKIPPED}


@pytest.mark.django_db(transaction=True)
def test_two_scans_of_one_root_go_one_after_the_other(album: Album) -> None:
    for number in range(5):
        album.put(f"{number}.jpg", b"%d" % number)
    target = register_folder(str(album.folder))
    inside, go_on = threading.Event(), threading.Event()
    sessions: list[ScanSession] = []

    def wait(found: int) -> None:
        inside.set()
        go_on.wait(20)

    def run(progress: Callable[[int], object]) -> None:
        sessions.append(scan(target, progress=progress))
        connections.close_all()

    first = threading.Thread(target=run, args=(wait,))
    first.start()
    assert inside.wait(20)
    second = threading.Thread(target=run, args=(bool,))
    second.start()
    second.join(0.3)
    assert second.is_alive()
    go_on.set()
    first.join(20)
    second.join(20)
    assert [counts(session) for session in sessions] == [
        {"found": 5, "new": 5},
        {"found": 5, "unchanged": 5},
    ]
    assert {session.status for session in ScanSession.objects.all()} == {"finished"}


def test_rules_come_from_the_settings(settings: Any) -> None:
    settings.SUPPORTED_FORMATS = ("jpg",)
    settings.EXCLUDED_FOLDERS = ("Private",)
    settings.INCLUDE_HIDDEN = True
    settings.MAX_FILE_SIZE = 5
    rules = roots.rules_from_settings()
    assert rules.extensions == {"jpg"}
    assert rules.excluded_folders == {"private"}
    assert rules.include_hidden
    assert rules.max_file_size == 5


def test_a_file_that_was_written_just_now_is_waited_for(album: Album, settings: Any) -> None:
    settings.SETTLE_SECONDS = 1
    album.put("one.jpg", 1)
    assert counts(album.scan()) == {"found": 1, "new": 1}


def test_a_file_that_is_being_written_is_left_for_the_next_scan(album: Album, settings: Any) -> None:
    """Also one that is known already, which is not gone then."""
    album.put("one.jpg", 1)
    album.scan()
    settings.SETTLE_SECONDS = 1
    ends, begun = threading.Event(), threading.Event()

    def write() -> None:
        while not ends.wait(0.05):
            begun.set()
            for name in ("one.jpg", "two.jpg"):
                with (album.folder / name).open("ab") as stream:
                    stream.write(b"x")

    writing = threading.Thread(target=write)
    writing.start()
    begun.wait()
    time.sleep(0.02)
    try:
        session = album.scan()
    finally:
        ends.set()
        writing.join()
    assert counts(session) == {"skipped": 2}
    assert set(session.skip_reasons) == {"still being written: the next look takes it"}
    assert set(states().values()) == {State.PENDING}
    assert counts(album.scan()) == {"found": 2, "new": 1, "changed": 1}


def test_a_clock_that_is_wrong_by_days_does_not_keep_files_out(album: Album, settings: Any) -> None:
    settings.SETTLE_SECONDS = 1
    path = album.put("one.jpg", 1)
    later = time.time() + 86_400
    os.utime(path, (later, later))
    assert counts(album.scan()) == {"found": 1, "new": 1}


def test_a_look_at_one_folder_says_nothing_about_the_others(album: Album) -> None:
    album.put("a/one.jpg", 1)
    album.put("a/b/two.jpg", 2)
    album.put("three.jpg", 3)
    target = album.scan().root
    for name in ("a/one.jpg", "a/b/two.jpg", "three.jpg"):
        (album.folder / name).unlink()
    session = scan(ScanTarget(target, b"a", (Area(b"a", deep=False),)))
    assert (session.partial, session.vanished) == (True, 1)
    present = PhotoFile.objects.present().values_list("display_path", flat=True)
    assert set(present) == {"a/b/two.jpg", "three.jpg"}
    scan(ScanTarget(target, b"", (Area(b"", deep=False),)))
    assert set(present.all()) == {"a/b/two.jpg"}


def test_a_folder_that_is_gone_takes_its_files_along_but_not_a_tenth_of_the_root(album: Album) -> None:
    for number in range(12):
        album.put(f"a/{number}.jpg", number)
        album.put(f"b/{number}.jpg", number + 50)
    album.put("c/one.jpg", 99)
    root = album.scan().root
    shutil.rmtree(album.folder / "c")
    assert scan(ScanTarget(root, b"c", (Area(b"c"),))).vanished == 1
    shutil.rmtree(album.folder / "a")
    session = scan(ScanTarget(root, b"a", (Area(b"a"),)))
    assert session.status == ScanSession.Status.STOPPED
    assert PhotoFile.objects.present().count() == 24


def test_a_sidecar_is_seen_by_a_plain_scan_too(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.put("two.jpg", 2)
    album.take_in()
    album.put("one.xmp", b"<x/>")
    assert counts(album.take_in()) == {"found": 2, "changed": 1, "unchanged": 1}
    assert counts(album.take_in()) == {"found": 2, "unchanged": 2}
    steps = {run.photo_id: run.attempts for run in StepRun.objects.filter(step="preprocessing")}
    assert steps == {album.photo("one.jpg").pk: 2, album.photo("two.jpg").pk: 1}


def test_a_sidecar_that_changes_while_its_photo_is_read_waits_for_the_next_look(album: Album) -> None:
    album.put("one.jpg", 1)
    album.scan()
    Photo.objects.update(state=State.PREPROCESSING)
    album.put("one.xmp", b"<x/>")
    session = album.scan()
    assert list(session.skip_reasons) == ["being read while its sidecar changed: the next look takes it"]
    Photo.objects.update(state=State.COMPLETED)
    assert counts(album.scan()) == {"found": 1, "changed": 1}
