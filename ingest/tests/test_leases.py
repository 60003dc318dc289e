"""Who holds which photo: claims, order, dead workers, and photos that kill them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import psutil
import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.utils import timezone

from ingest import leases
from ingest.leases import MOST_LOST_LEASES, Hands, Worker, claim, recover, release
from library.models import Photo

pytestmark = pytest.mark.django_db

State = Photo.State
WAITING = (State.PENDING,)
HERE = settings.MACHINE_NAME
ME = Worker(HERE, os.getpid(), int(psutil.Process().create_time()))
OTHER = Worker("elsewhere", 1, 1)


def waiting(count: int, **fields: object) -> list[int]:
    return [photo.pk for photo in Photo.objects.bulk_create([Photo(**fields) for _ in range(count)])]


def hold(worker: str, *, seconds: float = 600, **fields: object) -> Photo:
    until = timezone.now() + timedelta(seconds=seconds)
    return Photo.objects.create(leased_by=worker, lease_until=until, **fields)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_worker_is_named_by_host_process_and_its_start() -> None:
    assert Worker.this_process() == ME
    assert ME.name == f"{HERE}:{os.getpid()}:{ME.started}"


def test_nobody_gets_what_another_holds() -> None:
    ids = waiting(5)
    assert claim(ME, WAITING, 3) == ids[:3]
    assert claim(OTHER, WAITING, 3) == ids[3:]
    assert claim(OTHER, WAITING, 3) == []
    assert Counter(Photo.objects.values_list("leased_by", flat=True)) == {ME.name: 3, OTHER.name: 2}


def test_only_photos_in_the_wanted_states_are_claimed() -> None:
    waiting(1, state=State.COMPLETED)
    ids = waiting(1, state=State.PROCESSING_OCR)
    assert claim(ME, Photo.MODELS_LANE_STATES, 5) == ids


def test_urgent_photos_come_first_then_the_oldest() -> None:
    low, normal, upload, high = (
        waiting(1, priority=priority)[0]
        for priority in (
            Photo.Priority.LOW,
            Photo.Priority.NORMAL,
            Photo.Priority.UPLOAD,
            Photo.Priority.HIGH,
        )
    )
    late = waiting(1, priority=Photo.Priority.UPLOAD)[0]
    assert claim(ME, WAITING, 10) == [upload, late, high, normal, low]


def test_what_is_given_back_is_free_and_only_its_holder_can_give_it() -> None:
    (pk,) = waiting(1)
    claim(ME, WAITING, 1)
    release(OTHER, [pk])
    assert claim(OTHER, WAITING, 1) == []
    release(ME, [pk])
    assert claim(OTHER, WAITING, 1) == [pk]
    assert Photo.objects.get().lost_leases == 0


def test_the_photos_of_a_dead_worker_are_freed() -> None:
    photo = hold(f"{HERE}:{dead_pid()}:{int(timezone.now().timestamp())}")
    assert recover() == 1
    photo.refresh_from_db()
    assert (photo.leased_by, photo.lease_until, photo.lost_leases) == ("", None, 1)


def test_the_photos_of_a_process_that_got_a_dead_workers_number_are_freed() -> None:
    hold(f"{HERE}:{os.getpid()}:{ME.started - 1000}")
    assert recover() == 1


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        hold(f"{HERE}:{child.pid}:{int(psutil.Process(child.pid).create_time())}")
        assert recover() == 1
    finally:
        child.wait()


def test_live_workers_and_workers_elsewhere_keep_their_photos() -> None:
    hold(ME.name)
    hold(OTHER.name)
    hold("a name of an older version")
    hold("a:b:c")
    assert recover() == 0


def test_a_lease_that_ran_out_is_freed_whoever_holds_it() -> None:
    hold(ME.name, seconds=-1)
    hold(OTHER.name, seconds=-1)
    assert recover() == 2
    assert claim(ME, WAITING, 1)


def test_a_host_name_with_colons_is_no_trouble() -> None:
    hold("fe80::1:77:5")
    assert recover() == 0


def test_photos_that_outlived_a_worker_are_taken_last_and_alone() -> None:
    suspects = waiting(2, lost_leases=1, priority=Photo.Priority.UPLOAD)
    fresh = waiting(2)
    assert claim(ME, WAITING, 10) == fresh
    assert claim(ME, WAITING, 10) == suspects[:1]
    assert claim(ME, WAITING, 10) == suspects[1:]


def test_a_photo_that_killed_three_workers_is_set_aside_with_its_story() -> None:
    poison = hold(f"{HERE}:{dead_pid()}:5", state=State.PROCESSING_OCR, lost_leases=MOST_LOST_LEASES - 1)
    neighbour = hold(f"{HERE}:{dead_pid()}:5", state=State.PROCESSING_OCR)
    recover()
    poison.refresh_from_db()
    neighbour.refresh_from_db()
    assert poison.state == State.FAILED
    assert "3 times during processing_ocr" in poison.error_message
    assert neighbour.state == State.PROCESSING_OCR
    assert claim(ME, Photo.MODELS_LANE_STATES, 5) == [neighbour.pk]


def test_hands_give_everything_back_at_the_end() -> None:
    waiting(4)
    with Hands(ME) as hands:
        hands.take_up(hands.claim(WAITING, 2))
        hands.claim(WAITING, 2)
    assert not Photo.objects.exclude(leased_by="").exists()
    assert not Photo.objects.filter(lost_leases__gt=0).exists()


@pytest.mark.parametrize(
    ("error", "lost"),
    [(ValueError, 1), (OperationalError, 0), (OSError, 0), (KeyboardInterrupt, 0)],
)
def test_after_an_error_what_was_in_hand_counts_as_lost_but_not_after_an_outage(
    error: type[BaseException], lost: int
) -> None:
    in_hand, ahead = waiting(2)
    with pytest.raises(error), Hands(ME) as hands:
        hands.take_up(hands.claim(WAITING, 1))
        hands.claim(WAITING, 1)
        raise error
    assert dict(Photo.objects.values_list("pk", "lost_leases")) == {in_hand: lost, ahead: 0}
    assert not Photo.objects.exclude(leased_by="").exists()


def test_what_was_done_with_does_not_count_as_lost() -> None:
    waiting(2)
    with pytest.raises(ValueError), Hands(ME) as hands:  # noqa: PT011 - ours
        first = hands.claim(WAITING, 1)
        hands.take_up(first)
        release(ME, first)
        hands.take_up(hands.claim(WAITING, 2)[1:])
        raise ValueError
    assert Photo.objects.get(pk=first[0]).lost_leases == 0


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_get_each_photo_once() -> None:
    ids = waiting(200)
    got: list[list[int]] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        worker = Worker("elsewhere", number, 1)
        mine: list[int] = []
        start.wait()
        while batch := claim(worker, WAITING, 7):
            mine += batch
        got.append(mine)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pk for mine in got for pk in mine) == ids


def test_recovering_nothing_costs_two_queries(django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(2):  # type: ignore[operator]
        assert leases.recover() == 0
