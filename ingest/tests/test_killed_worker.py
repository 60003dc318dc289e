"""A photo that kills its worker (a crash in native code, kill -9): it is set aside, and nobody with it."""

from __future__ import annotations

from typing import Any

import pytest

from ingest import leases
from ingest.files_lane import FilesLane
from ingest.runner import ModelsLane
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, fail_on, states
from library.models import Photo

pytestmark = pytest.mark.django_db

State = Photo.State
#: No process has this number on any system: the kernel's largest is 2 ** 22.
DEAD = f"{leases.Worker.this_process().host}:{2**22 + 1}:5"


class Killed(BaseException):
    """The process is gone in the middle of its work."""


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``Killed`` nothing is tidied up: what the worker held stays held by a process that is dead."""
    real = leases.Hands.__exit__

    def leave(self: Any, kind: Any, error: Any, traceback: Any) -> None:
        if kind is Killed:
            Photo.objects.exclude(leased_by="").update(leased_by=DEAD)
            return
        real(self, kind, error, traceback)

    monkeypatch.setattr(leases.Hands, "__exit__", leave)


def deaths(lane: Any) -> int:
    """Start the lane again after every death until it comes to an end."""
    died = 0
    while True:
        try:
            lane().run()
        except Killed:
            died += 1
            assert died < 30
        else:
            return died


@pytest.mark.parametrize(("culprit", "batch"), [(0, 3), (3, 1), (3, 32), (5, 3)])
def test_of_many_photos_only_the_one_that_kills_is_set_aside(
    album: Album, engines: Engines, mortal: None, culprit: int, batch: int
) -> None:
    for seed in range(6):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    engines.hasher_fake.before = fail_on(album.photo(f"{culprit}.jpg"), Killed())
    assert deaths(lambda: ModelsLane(batch_size=batch)) == leases.MOST_LOST_LEASES
    ended = states()
    assert ended.pop(f"{culprit}.jpg") == State.FAILED
    assert set(ended.values()) == {State.COMPLETED}


def test_a_new_batch_that_dies_does_not_count_against_those_that_wait_their_turn(
    album: Album, engines: Engines, mortal: None
) -> None:
    """Photos under suspicion are never held beside others: two bad ones would condemn the good one."""
    for seed in range(4):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    good = album.photo("0.jpg")
    Photo.objects.filter(pk=good.pk).update(lost_leases=leases.MOST_LOST_LEASES - 1)
    engines.hasher_fake.before = fail_on(album.photo("1.jpg"), Killed())
    deaths(lambda: ModelsLane(batch_size=32))
    assert states() == {"0.jpg": State.COMPLETED, "1.jpg": State.FAILED} | {
        f"{n}.jpg": State.COMPLETED for n in (2, 3)
    }


#: One of the first batch, and one that is claimed while that is in hand.
@pytest.mark.parametrize("number", [5, 10])
def test_an_original_that_kills_its_reader_is_set_aside_alone(
    album: Album, mortal: None, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    for seed in range(12):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    culprit = album.photo(f"{number}.jpg").pk
    real = FilesLane._decode

    def crash(self: Any, batch: Any, pool: Any, at_hand: Any) -> None:
        if culprit in batch.ids:
            raise Killed
        real(self, batch, pool, at_hand)

    monkeypatch.setattr(FilesLane, "_decode", crash)
    assert deaths(FilesLane) == leases.MOST_LOST_LEASES
    ended = states()
    assert ended.pop(f"{number}.jpg") == State.FAILED
    assert set(ended.values()) == {State.PROCESSING_OBJECTS}
