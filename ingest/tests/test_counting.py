"""Kept counts: whatever happens to photos, they say what counting would; and they are found out when not."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from ingest import counting, repair, step_counts
from ingest.models import Pace, PhotoCount, PhotoCountChange, ScanSession, SessionFolder, StepCount, StepRun
from ingest.session_progress import states_of
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from ingest.verify import verify
from library.models import Photo, Root
from library.tests.factories import make_root
from search import library_words

pytestmark = pytest.mark.django_db

State = Photo.State


def disagreements() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(counting.DISAGREEMENTS)
        found = cursor.fetchall()
        cursor.execute(step_counts.DISAGREEMENTS)
        return [*found, *cursor.fetchall()]


def folders(root: Root) -> list[int]:
    """The rows of a session with /, /a, /a/b and /c."""
    session = ScanSession.objects.create(root=root, status="finished")
    rows: dict[bytes, SessionFolder] = {}
    for path in (b"", b"a", b"a/b", b"c"):
        parent = rows.get(path.rpartition(b"/")[0]) if path else None
        rows[path] = SessionFolder.objects.create(session=session, path=path, parent=parent)
    return [row.pk for row in rows.values()]


def counted(folder: int) -> dict[str, int]:
    return counting.by_state(folder)


def test_a_change_counts_in_the_folder_in_those_around_it_and_in_all() -> None:
    top, a, b, c = folders(make_root())
    Photo.objects.bulk_create([Photo(scan_folder=b), Photo(scan_folder=b), Photo(scan_folder=c), Photo()])
    counting.fold()
    assert [counted(folder) for folder in (top, a, b, c)] == [{"pending": n} for n in (3, 2, 2, 1)]
    Photo.objects.filter(scan_folder=b).update(state=State.COMPLETED)
    Photo.objects.filter(scan_folder=c).delete()
    counting.fold()
    assert [counted(folder) for folder in (top, a, b, c)] == [{"completed": 2}] * 3 + [{}]
    assert counting.by_state() == {"completed": 2, "pending": 1}
    assert not PhotoCountChange.objects.exists()


def test_what_is_rolled_back_is_not_counted() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Photo.objects.create()
        raise ZeroDivisionError
    counting.fold()
    assert counting.by_state() == {}


def test_a_write_that_changes_no_state_leaves_nothing_to_add_up() -> None:
    Photo.objects.create()
    counting.fold()
    Photo.objects.update(title="Lisbon")
    assert not PhotoCountChange.objects.exists()


def test_random_writes_never_lead_the_counts_astray() -> None:
    places = [0, *folders(make_root()), 12345]
    dice = random.Random(1)  # noqa: S311
    for round_ in range(40):
        Photo.objects.bulk_create(
            Photo(scan_folder=dice.choice(places), state=dice.choice(State.values))
            for _ in range(dice.randint(0, 5))
        )
        some = list(Photo.objects.order_by("?").values_list("pk", flat=True)[: dice.randint(0, 6)])
        write = dice.randint(0, 3)
        if write == 0:
            Photo.objects.filter(pk__in=some).delete()
        elif write == 1:
            Photo.objects.filter(pk__in=some).update(scan_folder=dice.choice(places))
        else:
            Photo.objects.filter(pk__in=some).update(state=dice.choice(State.values))
        assert disagreements() == []
        if round_ % 3 == 0:
            counting.fold()
            assert disagreements() == []


def test_the_ledger_is_counted_whoever_writes_and_however() -> None:
    photos = Photo.objects.bulk_create([Photo() for _ in range(3)])
    rows = [StepRun(photo=photo, step="ocr", status="done", milliseconds=10) for photo in photos]
    StepRun.objects.bulk_create(rows)
    again = [StepRun(photo=photos[0], step="ocr", status="failed", milliseconds=7)]
    again.append(StepRun(photo=photos[0], step="hash", status="done", milliseconds=1))
    StepRun.objects.bulk_create(
        again,
        update_conflicts=True,
        unique_fields=["photo", "step"],
        update_fields=["status", "milliseconds"],
    )
    photos[2].delete()
    assert disagreements() == []
    step_counts.fold()
    assert disagreements() == []
    assert step_counts.by_step() == {
        "ocr": {"done": (1, 10), "failed": (1, 7)},
        "hash": {"done": (1, 1)},
    }


def test_a_library_that_is_processed_retried_and_changed_agrees(album: Album, engines: Engines) -> None:
    for seed in range(4):
        album.put(f"a/{seed % 2}/{seed}.jpg", seed)
    album.put("copy.jpg", 1)
    album.put("broken.jpg", b"no picture")
    session = album.take_in()
    assert disagreements() == []
    (state,) = states_of([session])
    assert (state.counts.done, state.counts.failed, state.counts.left) == (4, 1, 0)
    album.put("a/1/1.jpg", 9)
    album.put("broken.jpg", 10)
    second = album.take_in()
    assert disagreements() == []
    (state,) = states_of([second])
    assert (state.counts.done, state.counts.failed, state.phase) == (2, 0, "done")


def test_wrong_counts_are_found_told_and_corrected() -> None:
    top, *_ = folders(make_root())
    photo = Photo.objects.create(scan_folder=top)
    StepRun.objects.create(photo=photo, step="ocr", status="pending")
    counting.fold()
    step_counts.fold()
    PhotoCount.objects.filter(folder=top).update(photos=7)
    StepCount.objects.update(runs=5)
    (finding,) = [found for found in verify(decode=False).findings if found.check == "kept_counts_differ"]
    assert finding.examples == [
        f"pending of folder {top}: 7 kept, 1 there",
        "pending entries of ocr: 5 kept, 1 there",
    ]
    assert repair.recount() == 2
    assert counted(top) == {"pending": 1}
    assert step_counts.by_step() == {"ocr": {"pending": (1, 0)}}
    assert repair.recount() == 0


def test_finished_photos_that_still_wait_are_found_and_mended() -> None:
    Photo.objects.create(state=State.COMPLETED, scan=5)
    assert "finished_but_waiting" in {found.check for found in verify(decode=False).findings}
    repair.recount()
    assert Photo.objects.get().scan == 0


def test_what_is_finished_is_written_down_in_pieces_of_ten_seconds() -> None:
    top, *_ = folders(make_root())
    session = SessionFolder.objects.get(pk=top).session_id
    Photo.objects.bulk_create([Photo(scan_folder=top) for _ in range(5)])
    Photo.objects.update(state=State.COMPLETED)
    Photo.objects.create(state=State.FAILED, scan_folder=top)
    Photo.objects.create(state=State.PARTIAL)
    counting.fold()
    paces = Pace.objects.values_list("session", "finished")
    total = {key: sum(n for session, n in paces if session == key) for key in (session, None)}
    assert total == {session: 5, None: 6}
    assert all(pace.at.second % counting.PACE_SECONDS == 0 for pace in Pace.objects.all())


@pytest.mark.parametrize(
    ("pieces", "rate"),
    [
        ([(50, 60), (40, 60), (30, 60), (20, 60), (10, 60)], 6.0),
        ([(550, 900), (50, 60), (40, 60), (30, 60), (20, 60), (10, 60)], 6.0),
        ([(310, 32), (210, 32), (110, 32), (10, 32)], 0.32),
        ([(310, 32), (210, 32)], 0.107),
        ([(20, 32)], None),
        ([(700, 32), (650, 32)], None),
        ([], None),
    ],
    ids=["steady", "faster lately", "in batches", "stopped", "one batch", "long ago", "nothing"],
)
def test_the_pace_is_a_moving_average(pieces: list[tuple[int, int]], rate: float | None) -> None:
    """The first piece says when counting began: how long its photos took is not known."""
    now = timezone.now()
    for seconds, finished in pieces:
        Pace.objects.create(at=now - timedelta(seconds=seconds), finished=finished)
    expected = None if rate is None else pytest.approx(rate, rel=0.15)
    assert counting.per_second() == expected


@pytest.mark.django_db(transaction=True)
def test_several_who_write_and_fold_at_once_lose_nothing() -> None:
    top, a, *_ = folders(make_root())

    def work(folder: int) -> None:
        try:
            for number in range(15):
                photo = Photo.objects.create(scan_folder=folder)
                if number % 2:
                    Photo.objects.filter(pk=photo.pk).update(state=State.COMPLETED)
                counting.fold()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(folder,)) for folder in (top, a, a, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counting.fold()
    assert counting.by_state() == {"pending": 32, "completed": 28}
    assert counted(top) == {"pending": 24, "completed": 21}
    assert disagreements() == []


@pytest.mark.django_db(transaction=True)
def test_the_ledger_is_added_up_while_words_are_counted() -> None:
    StepRun.objects.create(photo=Photo.objects.create(), step="ocr", status="done", milliseconds=10)

    def fold() -> None:
        try:
            step_counts.fold()
        finally:
            connections.close_all()

    with transaction.atomic():
        assert library_words.count()
        thread = threading.Thread(target=fold)
        thread.start()
        thread.join()
    assert step_counts.by_step() == {"ocr": {"done": (1, 10)}}
