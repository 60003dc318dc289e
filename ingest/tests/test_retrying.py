"""The ledger as a tool: classes of failures, retries, selections that are run again, stories of poison."""

from __future__ import annotations

import io
import json
from importlib import import_module
from typing import Any

import psutil
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django_q.models import OrmQ

from ingest import leases, retrying, tallies
from ingest.failures import classes, set_aside
from ingest.models import LostLease, StepRun, StepTally
from ingest.retrying import By, retry_runs
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, fail_on, steps_of
from library.models import AuditEvent, Photo, PhotoEmbedding
from library.tests.factories import make_photo

pytestmark = pytest.mark.django_db

State = Photo.State
ME = By(None, "test")


def run(command: str, *args: str) -> str:
    out = io.StringIO()
    call_command(command, *args, stdout=out, no_color=True)
    return out.getvalue()


def failed(photo: Photo, step: str = "ocr", error: str = "OSError: page 1", **fields: Any) -> StepRun:
    from ingest.reasons import normalise

    values = {"status": "failed", "error": error, "reason": normalise(error), "engine": "e/1"}
    return StepRun.objects.create(photo=photo, step=step, **values | fields)


def poisoned(**fields: Any) -> Photo:
    return make_photo(state=State.FAILED, lost_leases=3, error_message="set aside", **fields)


@pytest.fixture
def taken_in(album: Album, engines: Engines) -> Album:
    """Four photos; text recognition fails on three of them, on two for one reason, with other numbers."""
    for seed in range(4):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    hooks = [
        fail_on(album.photo("0.jpg"), OSError("page 7 of '/tmp/a.jpg'")),
        fail_on(album.photo("1.jpg"), OSError("page 12 of '/tmp/b c.png'")),
        fail_on(album.photo("2.jpg"), ValueError("no page")),
    ]

    def hook(images: Any) -> None:
        for each in hooks:
            each(images)

    engines.reader_fake.before = hook
    album.process()
    return album


def test_failures_are_kept_by_class(taken_in: Album) -> None:
    first, second = classes()
    assert (first.step, first.reason, first.photos) == ("ocr", "OSError: page <number> of <path>", 2)
    assert (second.step, second.reason, second.photos) == ("ocr", "ValueError: no page", 1)
    assert first.example.startswith("OSError: page")


def test_a_class_is_run_again_and_nothing_else(taken_in: Album, engines: Engines) -> None:
    engines.reader_fake.before = lambda images: None
    assert run("retry", "--step", "ocr", "--error", "page 99 of '/x/y.jpg'", "--dry-run").count("would") == 1
    assert Photo.objects.filter(state=State.PARTIAL).count() == 3
    out = run("retry", "--step", "ocr", "--error", "OSError: page 99 of '/x/y.jpg'")
    assert "2 photos were opened, 2 steps to be run again" in out
    taken_in.process()
    assert [steps_of(taken_in.photo(f"{n}.jpg"))["ocr"] for n in range(4)] == [
        "done",
        "done",
        "failed",
        "done",
    ]
    attempts = attempts_of(taken_in.photo("0.jpg"))
    assert attempts.pop("ocr") == 2
    assert set(attempts.values()) == {1}
    event = AuditEvent.objects.get(action="retry")
    assert (event.actor_id, event.before["step"]) == (None, "ocr")
    account = event.after.pop("account")
    assert account == psutil.Process().username()
    assert event.after == {"entries": 2, "photos": 2, "under_way": 0, "by": "command"}
    assert OrmQ.objects.filter(key="models").exists()


def test_tallies_count_every_run(taken_in: Album, engines: Engines) -> None:
    engines.reader_fake.before = lambda images: None
    run("retry", "--all")
    taken_in.process()
    (record,) = [record for record in tallies.records() if record.step == "ocr"]
    assert (record.done, record.failed) == (4, 3)
    assert record.success == 4 / 7
    assert record.mean_milliseconds is not None
    kept = {(row.step, row.status): row.runs for row in StepTally.objects.all()}
    assert kept["preprocessing", "done"] == 4


def test_one_photo_is_run_again() -> None:
    one, other = make_photo(state=State.PARTIAL), make_photo(state=State.PARTIAL)
    failed(one), failed(one, "hash"), failed(other)
    assert json.loads(run("retry", "--photo", str(one.pk), "--json")) == {
        "entries": 2,
        "photos": 1,
        "under_way": 0,
        "more": False,
    }
    other.refresh_from_db()
    assert other.state == State.PARTIAL
    assert AuditEvent.objects.get().object_id == one.pk


def test_a_part_of_the_message_is_enough_whatever_its_case() -> None:
    failed(make_photo(state=State.PARTIAL), error="RuntimeError: CUDA out of memory, 20 MiB")
    failed(make_photo(state=State.PARTIAL), error="RuntimeError: other")
    assert "1 would be run again" in run("retry", "--error", "cuda OUT", "--dry-run")
    told = json.loads(run("retry", "--error", "out of memory, 20 mib", "--dry-run", "--json"))
    assert told["entries"] == 1
    assert told["classes"][0]["reason"] == "RuntimeError: CUDA out of memory, <number> MiB"
    assert run("retry", "--error", "never seen") == "Nothing to run again.\n"
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("args", [(), ("--all", "--step", "ocr"), ("--set-aside", "--step", "ocr")])
def test_a_retry_says_what_it_means(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("retry", *args)


def test_photos_set_aside_are_run_again_only_when_they_are_meant() -> None:
    photo = poisoned()
    failed(photo)
    assert run("retry", "--all") == "Nothing to run again.\n"
    assert f"photo {photo.pk}: set aside" in run("retry", "--set-aside", "--dry-run")
    assert "1 photo was opened, 1 step to be run again" in run("retry", "--set-aside")
    photo.refresh_from_db()
    assert (photo.state, photo.lost_leases, photo.error_message) == (State.PROCESSING_OBJECTS, 0, "")


def test_large_classes_go_in_chunks_with_one_event(monkeypatch: pytest.MonkeyPatch, owner: Any) -> None:
    monkeypatch.setattr(retrying, "CHUNK", 2)
    for _ in range(5):
        failed(make_photo(state=State.PARTIAL))
    busy = make_photo(state=State.PROCESSING_HASH)
    failed(busy)
    runs = StepRun.objects.filter(status="failed")
    opened = retry_runs(runs=runs, by=By(owner.pk, "page"), chosen={"step": "ocr"})
    assert (opened.entries, opened.photos, opened.under_way) == (6, 5, 1)
    event = AuditEvent.objects.get()
    assert (event.actor, event.object_type) == (owner, "StepRun")
    assert event.after == {"entries": 6, "photos": 5, "under_way": 1, "by": "page"}
    assert opened.sentence == "5 photos were opened, 6 steps to be run again, 1 under way already."


def test_a_page_opens_only_so_many_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "CHUNK", 2)
    for _ in range(5):
        failed(make_photo(state=State.PARTIAL))
    runs = StepRun.objects.filter(status="failed")
    opened = retry_runs(runs=runs, by=ME, chosen={}, most=3)
    assert (opened.entries, opened.more) == (4, True)
    assert opened.sentence.endswith("More are left: do the same again, or use the command.")
    last = retry_runs(runs=runs, by=ME, chosen={}, most=3)
    assert (last.entries, last.more) == (1, False)


def test_a_worker_that_dies_three_times_leaves_its_story() -> None:
    here = leases.Worker.this_process()
    photo = make_photo(state=State.PROCESSING_FACES)
    beside = make_photo(state=State.PROCESSING_FACES)
    for death in range(3):
        worker = leases.Worker(here.host, 2**22 + 1 + death, 5)
        leases.claim(worker, (State.PROCESSING_FACES,), 1 if death else 2)
        assert leases.recover() == (1 if death else 2)
    assert [aside.pk for aside in set_aside()] == [photo.pk]
    story = list(photo.losses.all())
    assert [(loss.process, loss.host, loss.cause, loss.state, loss.beside) for loss in story] == [
        (str(2**22 + 1), here.host, "died", "processing_faces", 1),
        (str(2**22 + 2), here.host, "died", "processing_faces", 0),
        (str(2**22 + 3), here.host, "died", "processing_faces", 0),
    ]
    assert beside.losses.count() == 1


def test_a_lane_that_breaks_off_tells_the_error(album: Album) -> None:
    me = leases.Worker.this_process()
    photo = make_photo(state=State.PENDING)
    with pytest.raises(ZeroDivisionError), leases.Hands(me) as hands:
        hands.take_up(hands.claim((State.PENDING,), 1))
        raise ZeroDivisionError("by nothing")
    loss = LostLease.objects.get()
    assert (loss.photo_id, loss.cause, loss.message) == (
        photo.pk,
        "broke_off",
        "ZeroDivisionError: by nothing",
    )
    assert loss.worker == me.name


@pytest.fixture
def complete(album: Album, engines: Engines) -> Album:
    for seed in range(3):
        album.put(f"trip/{seed}.jpg" if seed else "0.jpg", seed)
    album.take_in()
    return album


def test_a_selection_is_looked_at_again_with_one_step(complete: Album, engines: Engines) -> None:
    before = engines.faces_fake.looked_at
    assert run("reprocess", "--step", "faces", "--where", "folder:trip", "--dry-run").startswith(
        "2 photos would"
    )
    assert Photo.objects.filter(state=State.COMPLETED).count() == 3
    assert "2 photos were opened, 2 steps" in run("reprocess", "--step", "faces", "--where", "folder:trip")
    complete.process()
    assert engines.faces_fake.looked_at == before + 2
    assert attempts_of(complete.photo("trip/1.jpg"))["faces"] == 2
    assert attempts_of(complete.photo("0.jpg"))["faces"] == 1
    event = AuditEvent.objects.get()
    assert event.before == {"steps": ["faces"], "where": "folder:trip"}
    assert event.action == "reprocess"


def test_vectors_are_really_made_anew(complete: Album, engines: Engines) -> None:
    before = engines.embedder_fake.looked_at
    old = set(PhotoEmbedding.objects.values_list("pk", flat=True))
    run("reprocess", "--step", "embeddings", "--all")
    assert not PhotoEmbedding.objects.exists()
    complete.process()
    assert engines.embedder_fake.looked_at == before + 3
    assert PhotoEmbedding.objects.count() == len(old) == 3


def test_originals_are_read_again(complete: Album) -> None:
    run("reprocess", "--step", "preprocessing", "--where", "folder:trip")
    assert Photo.objects.filter(state=State.PENDING).count() == 2
    complete.process()
    assert attempts_of(complete.photo("trip/2.jpg"))["preprocessing"] == 2
    assert Photo.objects.filter(state=State.COMPLETED).count() == 3


def test_what_cannot_be_looked_at_is_left(engines: Engines) -> None:
    make_photo(state=State.FAILED, renditions_at=None)
    poisoned()
    told = json.loads(run("reprocess", "--step", "hash", "--all", "--dry-run", "--json"))
    assert told == {"selected": 2, "photos": 0}
    assert run("reprocess", "--step", "hash", "--all") == "Nothing to run again.\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--step", "faces", "--where", "  "), "--where is empty"),
        (("--step", "faces", "--where", "colour:red"), "'colour' is not a field"),
        (("--step", "faces", "--where", "root:nowhere"), "No root is called 'nowhere'"),
        (("--step", "descriptions", "--all"), "switched off"),
    ],
)
def test_what_cannot_be_run_again_is_refused(engines: Engines, args: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("reprocess", *args)


def test_a_step_without_its_engine_is_refused(complete: Album, engines: Engines) -> None:
    engines.absent.add("faces")
    with pytest.raises(CommandError, match="faces cannot be run here"):
        run("reprocess", "--step", "faces", "--all")


def test_every_transition_is_a_log_line(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest import ledger

    lines: list[dict[str, Any]] = []

    class Listener:
        """Keeps what is logged."""

        def info(self, event: str, **fields: Any) -> None:
            """One line."""
            lines.append({"event": event, **fields})

    monkeypatch.setattr(ledger, "logger", Listener())
    album.put("0.jpg", 0)
    album.take_in()
    engines.hasher_fake.version = "2"
    run("reprocess", "--step", "faces", "--all")
    moves = [line for line in lines if line["event"] == "photo.state"]
    # Without a gap: each line begins where the one before ended.
    assert [move["before"] for move in moves][1:] == [move["after"] for move in moves][:-1]
    assert (moves[0]["before"], moves[0]["after"]) == ("pending", "preprocessing")
    read = moves[1]
    assert (read["step"], read["status"], read["after"]) == ("preprocessing", "done", "processing_objects")
    assert read["engine"].startswith("preprocessing/") or read["engine"]
    ocr = next(move for move in moves if move.get("step") == "ocr")
    assert ocr["engine"] == engines.reader_fake.engine_id
    assert isinstance(ocr["milliseconds"], int)
    assert (moves[-1]["before"], moves[-1]["after"]) == ("completed", "processing_objects")


def test_a_file_that_changes_or_is_mended_leaves_no_gap_in_the_log(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest import identities, ledger

    moves: list[tuple[int, str, str]] = []

    def note(photo: int, before: str, after: str, outcome: Any = None) -> None:
        moves.append((photo, str(before), str(after)))

    monkeypatch.setattr(ledger, "tell", note)
    monkeypatch.setattr(identities, "tell", note)
    for name, content in (("a.jpg", 1), ("b.jpg", 2), ("broken.jpg", b"no picture"), ("copy.jpg", 1)):
        album.put(name, content)
    album.take_in()
    for name, content in (("a.jpg", 3), ("broken.jpg", 4), ("b.jpg", 1)):
        album.put(name, content)
    album.take_in()
    album.put("gone.jpg", 5)
    album.scan()
    (album.folder / "gone.jpg").rename(album.folder / "away")
    album.process()
    (album.folder / "away").rename(album.folder / "gone.jpg")
    album.take_in()
    by_photo: dict[int, list[tuple[str, str]]] = {}
    for photo, before, after in moves:
        by_photo.setdefault(photo, []).append((before, after))
    for photo, chain in by_photo.items():
        assert [before for before, _ in chain] == ["pending", *(after for _, after in chain[:-1])], photo
    ends = dict(Photo.objects.values_list("pk", "state"))
    assert {photo: chain[-1][1] for photo, chain in by_photo.items() if photo in ends} == ends


def test_what_an_older_version_wrote_gets_its_class_and_is_counted() -> None:
    migration = import_module("ingest.migrations.0007_classes_and_tallies")
    failed(make_photo(), error="OSError: page 7", reason="", milliseconds=20)
    failed(make_photo(), error="OSError: page 8", reason="", milliseconds=40)
    StepRun.objects.create(photo=make_photo(), step="ocr", status="done", engine="e/1", milliseconds=10)
    migration.fill(apps, None)
    (found,) = classes()
    assert (found.reason, found.photos) == ("OSError: page <number>", 2)
    (record,) = tallies.records()
    assert (record.done, record.failed, record.mean_milliseconds) == (1, 2, 10)
    assert record.milliseconds["failed"] == 60
