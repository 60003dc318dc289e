"""Sessions: workers walk chosen folders; pause, resume, cancel and priority count from the next claim."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django_q.models import OrmQ

from ingest import counting, roots, sessions, tasks
from ingest.leases import Hands, Worker
from ingest.models import ScanSession, SessionFolder, StepRun
from ingest.retrying import By, retry_runs
from ingest.roots import ScanTarget, register_folder
from ingest.session_progress import SessionState, folders_in, pace_of_steps, states_of
from ingest.sessions import SessionRefused
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, fail_on, states
from ingest.verify import verify
from library.models import AuditEvent, Photo

pytestmark = pytest.mark.django_db

State = Photo.State
ME = By(None, "test")
Status = ScanSession.Status


@pytest.fixture(autouse=True)
def _fakes(engines: Engines) -> None:
    """No real engine."""


def start(album: Album, folder: str = "", *, priority: int = Photo.Priority.NORMAL) -> ScanSession:
    target = register_folder(str(album.folder / folder))
    (session,) = sessions.start(targets=[target], priority=priority, by=ME)
    return session


def walk() -> list[str]:
    return tasks.walk_sessions()


def state_of(session: ScanSession) -> SessionState:
    (state,) = states_of([ScanSession.objects.select_related("root").get(pk=session.pk)])
    return state


def figures(session: ScanSession) -> tuple[int, int, int, int]:
    counts = state_of(session).counts
    return counts.found, counts.done, counts.failed, counts.left


def rows(session: ScanSession, path: bytes = b"") -> dict[str, tuple[int, int, int, int]]:
    counting.fold()
    folder = SessionFolder.objects.get(session=session, path=path)
    found, _ = folders_in(folder)
    return {
        row.folder.name: (row.counts.found, row.counts.done, row.counts.failed, row.counts.left)
        for row in found
    }


def test_a_session_is_walked_by_a_worker_and_processed(album: Album) -> None:
    album.put("2019/Italy/a.jpg", 1)
    album.put("2019/b.jpg", 2)
    album.put("2020/c.jpg", b"no picture")
    session = start(album)
    assert state_of(session).phase == "queued"
    assert walk() == [f"{session.root}: finished"]
    assert state_of(session).phase == "working"
    assert figures(session) == (3, 0, 0, 3)
    album.process()
    assert state_of(session).phase == "done"
    assert rows(session) == {"2019": (2, 2, 0, 0), "2020": (1, 0, 1, 0)}
    assert rows(session, b"2019") == {"Italy": (1, 1, 0, 0)}


def test_a_walk_wakes_the_lanes(album: Album) -> None:
    album.put("a.jpg", 1)
    start(album)
    walk()
    assert {(row.key, row.func()) for row in OrmQ.objects.all()} == {
        ("files", tasks.SLICE),
        ("models", tasks.SLICE),
    }


def test_only_the_chosen_folder_is_walked_and_counts_from_there(album: Album) -> None:
    album.put("2019/Italy/a.jpg", 1)
    album.put("2020/c.jpg", 2)
    album.scan("2020")
    register_folder(str(album.folder / "2020"))
    session = start(album, "2020")
    walk()
    assert session.subfolder == b"" and set(states()) == {"c.jpg"}


def test_a_folder_within_a_root_is_the_top_of_its_session(album: Album) -> None:
    register_folder(str(album.folder))
    album.put("2019/Italy/a.jpg", 1)
    album.put("2020/c.jpg", 2)
    session = start(album, "2019")
    walk()
    assert set(states()) == {"2019/Italy/a.jpg"}
    assert rows(session, b"2019") == {"Italy": (1, 0, 0, 1)}
    assert SessionFolder.objects.get(session=session, parent=None).path == b"2019"


def test_files_known_before_are_found_and_folders_without_news_are_not_listed(album: Album) -> None:
    album.put("old/a.jpg", 1)
    album.put("both/b.jpg", 2)
    album.take_in()
    album.put("both/c.jpg", 3)
    session = start(album)
    walk()
    assert rows(session) == {"both": (2, 0, 0, 1)}
    counts = state_of(session).counts
    assert (counts.found, counts.taken, counts.known) == (3, 1, 2)


def test_a_paused_session_is_left_alone_by_both_lanes_until_it_is_resumed(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    walk()
    sessions.pause(session=session, by=ME)
    album.process()
    assert states() == {"a.jpg": State.PENDING}
    assert state_of(session).phase == "paused" and not state_of(session).moving
    sessions.resume(session=session, by=ME)
    album.read()
    sessions.pause(session=session, by=ME)
    album.process()
    assert states() == {"a.jpg": State.PROCESSING_OBJECTS}
    sessions.resume(session=session, by=ME)
    album.process()
    assert states() == {"a.jpg": State.COMPLETED}


def test_others_go_on_while_a_more_urgent_session_is_paused(album: Album) -> None:
    album.put("a/a.jpg", 1)
    album.put("b/b.jpg", 2)
    register_folder(str(album.folder))
    urgent = start(album, "a", priority=Photo.Priority.HIGH)
    start(album, "b", priority=Photo.Priority.IDLE)
    walk()
    sessions.pause(session=urgent, by=ME)
    album.process()
    assert states() == {"a/a.jpg": State.PENDING, "b/b.jpg": State.COMPLETED}


def test_an_idle_worker_does_not_come_back_for_photos_that_are_held(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    walk()
    sessions.pause(session=session, by=ME)
    OrmQ.objects.all().delete()
    tasks.run_slice("files")
    tasks.run_slice("models")
    assert not OrmQ.objects.exists()


def test_priority_changes_while_it_runs_and_uploads_stay_first(album: Album) -> None:
    album.put("a/a.jpg", 1)
    album.put("b/b.jpg", 2)
    register_folder(str(album.folder))
    first, second = start(album, "a"), start(album, "b", priority=Photo.Priority.LOW)
    walk()
    upload = Photo.objects.create(priority=Photo.Priority.UPLOAD)
    sessions.set_priority(session=second, priority=Photo.Priority.HIGH, by=ME)
    a, b = album.photo("a/a.jpg").pk, album.photo("b/b.jpg").pk
    with Hands(Worker.this_process()) as hands:
        assert hands.claim(Photo.FILES_LANE_STATES, 5) == [upload.pk, b, a]
    sessions.set_priority(session=first, priority=Photo.Priority.HIGH, by=ME)
    with Hands(Worker.this_process()) as hands:
        assert hands.claim(Photo.FILES_LANE_STATES, 2) == [upload.pk, a]


def test_what_a_cancelled_session_left_stays_known_and_a_later_scan_takes_it_up(album: Album) -> None:
    album.put("a/a.jpg", 1)
    album.put("b/b.jpg", 2)
    session = start(album)
    walk()
    sessions.cancel(session=session, by=ME)
    album.process()
    assert set(states().values()) == {State.PENDING}
    assert state_of(session).phase == "cancelled"
    assert verify(decode=False).faults == []
    later = album.scan("b")
    album.process()
    assert states() == {"a/a.jpg": State.PENDING, "b/b.jpg": State.COMPLETED}
    assert (later.found, later.unchanged, figures(later)) == (1, 1, (1, 1, 0, 0))
    again = sessions.again(session=session, by=ME)
    walk()
    album.process()
    assert set(states().values()) == {State.COMPLETED}
    assert figures(again) == (2, 1, 0, 0)
    assert figures(session)[3] == 0
    assert verify(decode=False).faults == []


def test_finished_photos_of_a_cancelled_session_can_be_run_again(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    walk()
    album.process()
    ScanSession.objects.filter(pk=session.pk).update(status=Status.CANCELLED)
    retry_runs(runs=StepRun.objects.filter(step="ocr"), by=ME, chosen={})
    assert states() == {"a.jpg": State.PROCESSING_OBJECTS}
    album.process()
    assert states() == {"a.jpg": State.COMPLETED}


def test_what_is_over_or_cancelled_is_not_changed_any_more(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    sessions.cancel(session=session, by=ME)
    for act in (sessions.pause, sessions.resume, sessions.cancel):
        with pytest.raises(SessionRefused, match="is cancelled"):
            act(session=session, by=ME)
    assert walk() == []
    album.take_in()
    done = ScanSession.objects.latest("pk")
    with pytest.raises(SessionRefused, match="is over"):
        sessions.cancel(session=done, by=ME)


def test_every_change_is_in_the_audit(album: Album) -> None:
    session = start(album)
    sessions.pause(session=session, by=ME)
    sessions.resume(session=session, by=ME)
    sessions.set_priority(session=session, priority=Photo.Priority.LOW, by=ME)
    sessions.cancel(session=session, by=ME)
    actions = (
        AuditEvent.objects.filter(object_type="ScanSession").order_by("pk").values_list("action", flat=True)
    )
    assert [action.split()[0] for action in actions] == ["start", "pause", "resume", "change", "cancel"]


def test_the_same_folder_is_not_walked_twice_at_once(album: Album) -> None:
    first = start(album)
    sessions.pause(session=first, by=ME)
    assert start(album, priority=Photo.Priority.HIGH) == first
    first.refresh_from_db()
    assert (first.paused, first.priority) == (False, Photo.Priority.HIGH)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is put in here is called after the first chunk of a walk, and looked for at every file."""
    calls: list[Any] = []
    monkeypatch.setattr("ingest.importer.CHUNK", 1)
    monkeypatch.setattr(roots, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "_take_in_uploads", lambda: calls.pop()() if calls else None)
    yield calls


def test_a_walk_that_is_paused_is_made_again_when_resumed(album: Album, between: list[Any]) -> None:
    for number in range(4):
        album.put(f"{number}.jpg", number)
    session = start(album)
    between.append(lambda: sessions.pause(session=session, by=ME))
    walk()
    session.refresh_from_db()
    assert (session.status, session.paused) == (Status.QUEUED, True)
    assert 0 < len(states()) < 4
    assert walk() == []
    sessions.resume(session=session, by=ME)
    walk()
    assert figures(session) == (4, 0, 0, 4)
    assert state_of(session).counts.taken == 4


def test_a_walk_that_is_cancelled_stays_so(album: Album, between: list[Any]) -> None:
    for number in range(4):
        album.put(f"{number}.jpg", number)
    session = start(album)
    between.append(lambda: sessions.cancel(session=session, by=ME))
    walk()
    session.refresh_from_db()
    assert session.status == Status.CANCELLED
    assert 0 < len(states()) < 4
    assert walk() == []


def test_a_folder_that_is_deleted_in_the_middle_is_told(album: Album, between: list[Any]) -> None:
    for number in range(3):
        album.put(f"a/{number}.jpg", number)
        album.put(f"b/{number}.jpg", 10 + number)
    session = start(album)
    between.append(lambda: shutil.rmtree(album.folder / "b"))
    walk()
    session.refresh_from_db()
    assert session.status == Status.FINISHED
    assert session.skips == [{"path": "b", "reason": "folder cannot be read: No such file or directory"}]
    album.process()
    assert rows(session) == {"a": (3, 3, 0, 0)}


def test_a_root_that_goes_away_in_the_middle_fails_the_session_and_its_photos_come_back(
    album: Album, between: list[Any], tmp_path: Path
) -> None:
    """What was found and cannot be read fails with its reason; with the disk back a scan reads it."""
    for number in range(3):
        album.put(f"a/{number}.jpg", number)
    session = start(album)
    between.append(lambda: album.folder.rename(tmp_path / "away"))
    walk()
    album.process()
    assert figures(session)[2] == figures(session)[0] > 0
    second = sessions.again(session=session, by=ME)
    walk()
    second.refresh_from_db()
    assert second.status == Status.FAILED and "Is the disk mounted?" in second.message
    (tmp_path / "away").rename(album.folder)
    third = start(album)
    walk()
    album.process()
    assert set(states().values()) == {State.COMPLETED} and len(states()) == 3
    assert figures(third) == (3, 3, 0, 0)
    assert verify(decode=False).faults == []


def test_a_walk_whose_worker_was_killed_is_made_again(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    ScanSession.objects.filter(pk=session.pk).update(status=Status.RUNNING)
    tasks.wake("files")
    session.refresh_from_db()
    assert session.status == Status.QUEUED
    assert [row.func() for row in OrmQ.objects.all()] == [tasks.WALK]
    walk()
    assert figures(session) == (1, 0, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_a_walk_that_goes_on_is_not_taken_for_lost_or_made_by_another(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    seen: list[Any] = []

    def meanwhile() -> None:
        def other() -> None:
            try:
                sessions.find_lost_walks()
                seen.append(ScanSession.objects.get(pk=session.pk).status)
                ScanSession.objects.create(root=session.root, status=Status.QUEUED, background=True)
                seen.append(sessions.walk_all(should_stop=lambda: False))
            finally:
                connections.close_all()

        if not seen:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

    monkeypatch.setattr(tasks, "_take_in_uploads", meanwhile)
    walked = walk()
    assert seen == [Status.RUNNING, []]
    assert len(walked) == 2
    connections.close_all()


def test_an_upload_does_not_wait_for_the_end_of_a_walk(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.importer.CHUNK", 1)
    for number in range(3):
        album.put(f"{number}.jpg", number)
    album.scan()
    Photo.objects.update(priority=Photo.Priority.UPLOAD, scan=0)
    album.put("late/new.jpg", 7)
    start(album)
    walk()
    assert {states()[f"{n}.jpg"] for n in range(3)} == {State.PROCESSING_OBJECTS}


def test_what_is_slow_and_what_fails_is_kept_by_session(album: Album, engines: Engines) -> None:
    album.put("a.jpg", 1)
    album.put("b.jpg", 2)
    session = start(album)
    walk()
    album.read()
    engines.reader_fake.before = fail_on(album.photo("a.jpg"), ValueError("cannot read 17 letters"))
    album.process()
    steps, failures = pace_of_steps(session)
    ocr = next(step for step in steps if step.step == "ocr")
    assert (ocr.runs, ocr.failed) == (2, 1)
    assert [(row.step, row.runs) for row in failures] == [("ocr", 1)]
    assert {step.step for step in steps} >= {"preprocessing", "hash"}
    assert state_of(session).counts.partial == 1


def test_a_dead_workers_photos_of_a_paused_session_stay_held(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    walk()
    dead = f"{Worker.this_process().host}:{2**22 + 1}:5"
    Photo.objects.update(leased_by=dead, lease_until="2100-01-01T00:00Z", state=State.PREPROCESSING)
    sessions.pause(session=session, by=ME)
    album.process()
    photo = Photo.objects.get()
    assert (photo.lost_leases, photo.leased_by, photo.state) == (1, "", State.PREPROCESSING)
    sessions.resume(session=session, by=ME)
    album.process()
    assert states() == {"a.jpg": State.COMPLETED}


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("sessions", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())["sessions"]


def test_sessions_are_controlled_from_the_command_line(album: Album) -> None:
    album.put("a.jpg", 1)
    session = start(album)
    walk()
    pk = str(session.pk)
    assert [(row["id"], row["phase"], row["left"]) for row in run("list")] == [(session.pk, "working", 1)]
    assert run("pause", pk)[0]["phase"] == "paused"
    assert run("list", "--open")[0]["paused"] is True
    assert run("resume", pk)[0]["phase"] == "working"
    assert run("priority", pk, "idle")[0]["priority"] == "idle"
    assert run("cancel", pk)[0]["phase"] == "cancelled"
    assert run("list", "--open") == []
    assert run("again", pk)[0]["phase"] == "queued"
    with pytest.raises(CommandError, match="is cancelled"):
        run("pause", pk)
    with pytest.raises(CommandError, match="no session 99999"):
        run("pause", "99999")
    out = StringIO()
    call_command("sessions", "list", stdout=out)
    assert "cancelled" in out.getvalue() and "1 found" in out.getvalue()


def test_a_scan_can_be_followed_to_its_end(album: Album, capsys: pytest.CaptureFixture[str]) -> None:
    album.put("2019/a.jpg", 1)
    call_command("scan_library", str(album.folder), "--watch-progress", "--process", "--priority", "low")
    assert "photos: 100 %, done, 1 found, 1 done, 0 failed" in capsys.readouterr().err
    assert ScanSession.objects.get().priority == Photo.Priority.LOW


def test_following_says_so_when_no_worker_is_there(album: Album) -> None:
    album.put("a.jpg", 1)
    with pytest.raises(CommandError, match="no worker is running"):
        call_command("scan_library", str(album.folder), "--watch-progress")
    assert set(states()) == {"a.jpg"}


def test_a_scan_at_a_terminal_that_is_paused_is_left_to_the_workers(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots, "LOOK_SECONDS", 0.0)
    album.put("a.jpg", 1)
    target = ScanTarget(register_folder(str(album.folder)).root)
    session = roots.scan(target, on_start=lambda session: sessions.pause(session=session, by=ME))
    assert (session.status, session.paused) == (Status.QUEUED, True)
    sessions.resume(session=session, by=ME)
    walk()
    assert figures(session) == (1, 0, 0, 1)
