"""The watch on real folders: what happens on disk is in the library within seconds."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingest import watching
from ingest.models import ScanSession
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, jpeg, states
from ingest.watching import LibraryWatch
from library.models import Photo, PhotoFile, Root

pytest.importorskip("watchfiles", reason="watchfiles is not installed (make install)")
pytestmark = pytest.mark.django_db

Play = Iterator[Callable[[], object]]
SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">%s
</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""


_scans = [0]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ROOTS_SECONDS", 0.3)
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.3)
    real = watching.scan

    def scan(*args: Any, **options: Any) -> ScanSession:
        session = real(*args, **options)
        _scans[0] += 1
        return session

    _scans[0] = 0
    monkeypatch.setattr(watching, "scan", scan)


def started() -> bool:
    """The watch is up, and has looked through everything once."""
    return _scans[0] > 0


def watch(play: Callable[[], Play], seconds: float = 15) -> list[ScanSession]:
    """Run the watch while a play does things to files; each thing it yields must come true in time.

    The play is moved on by the watch's own question whether to stop, so everything is in one thread.
    """
    told: list[ScanSession] = []
    scenes = play()
    scene: list[Any] = [next(scenes), time.monotonic() + seconds]

    def stopping() -> bool:
        assert time.monotonic() < scene[1], "waited in vain"
        if scene[0]():
            following = next(scenes, None)
            if following is None:
                return True
            scene[:] = [following, time.monotonic() + seconds]
        return False

    LibraryWatch(told.append).run(stopping)
    return told


def here(*names: str) -> Callable[[], bool]:
    """Whether exactly these files are there, as far as the library knows."""
    return lambda: set(PhotoFile.objects.present().values_list("display_path", flat=True)) == set(names)


def quiet(seconds: float = 1.5) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def test_new_changed_moved_vanished_and_returned_files_are_noticed(album: Album, engines: Engines) -> None:
    album.put("one.jpg", 1)
    album.scan()
    photos: dict[str, int] = {}

    def play() -> Play:
        yield here("one.jpg")
        album.put("a/b/two.jpg", 2)
        album.put("a/three.jpg", 3)
        yield here("one.jpg", "a/b/two.jpg", "a/three.jpg")
        album.process()
        photos.update(PhotoFile.objects.values_list("display_path", "photo_id"))
        album.put("one.jpg", 7)
        yield lambda: album.photo("one.jpg").state == Photo.State.PENDING
        (album.folder / "a" / "three.jpg").rename(album.folder / "a" / "drei.jpg")
        (album.folder / "a" / "b").rename(album.folder / "moved")
        yield here("one.jpg", "moved/two.jpg", "a/drei.jpg")
        album.process()
        (album.folder / "one.jpg").rename(album.folder.parent / "one.jpg")
        yield here("moved/two.jpg", "a/drei.jpg")
        (album.folder.parent / "one.jpg").rename(album.folder / "one.jpg")
        yield here("one.jpg", "moved/two.jpg", "a/drei.jpg")
        shutil.rmtree(album.folder / "moved")
        yield here("one.jpg", "a/drei.jpg")

    watch(play)
    assert album.photo("a/drei.jpg").pk == photos["a/three.jpg"]
    assert album.photo("moved/two.jpg").pk == photos["a/b/two.jpg"]
    assert album.photo("one.jpg").pk == photos["one.jpg"]
    assert not Photo.objects.filter(state=Photo.State.FAILED).exists()


def test_a_file_that_is_still_being_copied_waits(album: Album, engines: Engines, settings: Any) -> None:
    album.put("one.jpg", 1)
    album.scan()
    settings.SETTLE_SECONDS = 1
    whole = jpeg(2, (1200, 900))
    early: list[bool] = []

    def copy() -> None:
        with (album.folder / "two.jpg").open("wb", buffering=0) as stream:
            for start in range(0, len(whole), len(whole) // 8):
                stream.write(whole[start : start + len(whole) // 8])
                time.sleep(0.35)

    copying = threading.Thread(target=copy)

    def copied() -> bool:
        early.append(copying.is_alive() and here("one.jpg", "two.jpg")())
        return not copying.is_alive()

    def play() -> Play:
        yield here("one.jpg")
        copying.start()
        yield copied
        yield here("one.jpg", "two.jpg")

    watch(play)
    assert not any(early)
    album.process()
    assert states()["two.jpg"] == Photo.State.COMPLETED
    assert album.photo("two.jpg").width == 1200


def test_a_sidecar_that_comes_changes_or_goes_has_the_metadata_read_again_and_nothing_else(
    album: Album, engines: Engines
) -> None:
    album.put("one.jpg", 1)
    album.put("two.jpg", 2)
    album.take_in()
    before = attempts_of(album.photo("one.jpg"))
    beside = album.folder / "one.jpg.xmp"

    def title() -> str:
        album.process()
        return album.photo("one.jpg").title

    def play() -> Play:
        yield started
        beside.write_text(SIDECAR % "Grandmother")
        yield lambda: title() == "Grandmother"
        beside.write_text(SIDECAR % "Grandmother's garden")
        yield lambda: title() == "Grandmother's garden"
        beside.unlink()
        yield lambda: title() == ""

    watch(play)
    after = attempts_of(album.photo("one.jpg"))
    assert after.pop("preprocessing") == before.pop("preprocessing") + 3
    assert after == before
    assert attempts_of(album.photo("two.jpg"))["preprocessing"] == 1


def test_a_root_that_goes_away_marks_nothing_and_says_so(album: Album, engines: Engines) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    away = album.folder.with_name("away")
    names = ("0.jpg", "1.jpg", "2.jpg")

    def play() -> Play:
        yield started
        album.folder.rename(away)
        yield lambda: "is its disk mounted" in Root.objects.get().notice
        yield quiet()
        assert here(*names)()
        (away / "2.jpg").unlink()
        away.rename(album.folder)
        yield here("0.jpg", "1.jpg")
        assert Root.objects.get().notice == ""

    told = watch(play)
    [failed] = [session for session in told if session.status == ScanSession.Status.FAILED]
    assert "Is the disk mounted?" in failed.message


def test_an_empty_mount_point_marks_nothing(album: Album, engines: Engines) -> None:
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.scan()

    def play() -> Play:
        yield started
        album.folder.rename(album.folder.with_name("away"))
        album.folder.mkdir()
        yield quiet()

    told = watch(play)
    assert here("0.jpg", "1.jpg", "2.jpg")()
    assert told[-1].status == ScanSession.Status.STOPPED


def test_a_root_in_which_nothing_is_left_marks_nothing(album: Album) -> None:
    """An empty root looks like an unmounted disk, whatever became of the files before."""
    album.put("0.jpg", 0)
    album.scan()

    def play() -> Play:
        yield started
        (album.folder / "0.jpg").unlink()
        yield lambda: ScanSession.objects.filter(partial=True, status="failed").exists()

    watch(play)
    assert here("0.jpg")()
    assert "the folder is empty" in ScanSession.objects.filter(partial=True).get().message


def test_copying_very_many_files_is_a_look_or_two_at_their_folders(album: Album, settings: Any) -> None:
    album.put("old/one.jpg", 1)
    album.scan()
    content = jpeg(3)

    def play() -> Play:
        yield started
        for number in range(600):
            folder = album.folder / "new" / str(number // 60)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.jpg").write_bytes(content)
        yield lambda: PhotoFile.objects.count() == 601

    told = watch(play)
    assert len(told) <= 2
    assert all(session.partial and bytes(session.subfolder) == b"new" for session in told)


def test_a_watch_in_which_nothing_happens_writes_no_sessions(album: Album) -> None:
    album.put("one.jpg", 1)
    first = album.scan()

    def play() -> Play:
        yield started
        os.utime(album.folder)
        (album.folder / "notes.txt").write_text("x")
        yield quiet()

    assert watch(play) == []
    assert ScanSession.objects.get() == first


def test_a_root_made_while_watching_is_watched(album: Album, tmp_path: Any) -> None:
    album.put("one.jpg", 1)
    album.scan()
    second = Album(tmp_path / "second")
    second.put("two.jpg", 2)

    def play() -> Play:
        yield started
        second.scan()
        yield quiet(1)
        second.put("three.jpg", 3)
        yield here("one.jpg", "two.jpg", "three.jpg")

    watch(play)


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (OSError('OS file watch limit reached. about ["{}/a"]'), "fs.inotify.max_user_watches"),
        (PermissionError('Permission denied (os error 13) about ["{}/a"]'), "Let the user"),
    ],
)
def test_a_folder_that_the_system_refuses_to_watch_is_polled_with_a_word(
    album: Album, settings: Any, monkeypatch: pytest.MonkeyPatch, refusal: OSError, word: str
) -> None:
    import watchfiles

    settings.WATCH_POLL_SECONDS = 1
    monkeypatch.setattr(watching, "POLL_REST", 1)
    album.put("one.jpg", 1)
    album.scan()

    def refuse(*paths: str, **options: Any) -> Any:
        raise type(refusal)(str(refusal).format(paths[0]))

    monkeypatch.setattr(watchfiles, "watch", refuse)

    def play() -> Play:
        yield lambda: word in Root.objects.get().notice
        album.put("two.jpg", 2)
        yield here("one.jpg", "two.jpg")

    watch(play)


def test_a_network_mount_is_polled(album: Album, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WATCH_POLL_SECONDS = 1
    album.scan()
    album.put("one.jpg", 1)

    class Mount:
        mountpoint, fstype = str(album.folder.parent), "nfs4"

    monkeypatch.setattr(watching.psutil, "disk_partitions", lambda **_: [Mount])

    def play() -> Play:
        yield here("one.jpg")
        album.put("two.jpg", 2)
        yield here("one.jpg", "two.jpg")

    watch(play)
    assert "network file system (nfs4)" in Root.objects.get().notice


def test_the_watch_survives_an_outage_of_the_database(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    album.put("one.jpg", 1)
    album.scan()
    real, outages = watching.scan, [1, 2]

    def scan(*args: Any, **options: Any) -> Any:
        if outages:
            outages.pop()
            raise watching.OperationalError("gone")
        return real(*args, **options)

    monkeypatch.setattr(watching, "scan", scan)
    monkeypatch.setattr(watching.connection, "close", lambda: None)

    def play() -> Play:
        yield lambda: not outages
        outages.append(1)
        album.put("two.jpg", 2)
        yield here("one.jpg", "two.jpg")

    watch(play)
