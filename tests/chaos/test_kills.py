"""Real processes, killed, stopped and robbed of their files at random; see ``monkey``."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.product import PROJECT, Installation, digests, wait_for

if not sys.platform.startswith("linux"):
    pytest.skip("The chaos of processes is written for Linux.", allow_module_level=True)

from tests.chaos.monkey import LEASE_SECONDS, SETTINGS, TRICKS, Monkey, make_photos, undisturbed_facts

#: Freezing a worker makes everybody wait for leases; that has a test of its own.
FAST = [name for name in TRICKS if name != "stop a worker beyond its lease"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos")
    folder.chmod(0o755)
    make_photos(folder / "photos", 9)
    return folder / "photos"


@pytest.fixture(scope="module")
def peace(photos: Path) -> Iterator[dict[str, Any]]:
    installation = Installation(photos.parent / "peace", dict(SETTINGS))
    yield undisturbed_facts(installation, photos)
    installation.remove()


def test_random_deaths_and_losses_leave_no_trace(
    tmp_path: Path, photos: Path, peace: dict[str, Any], dice: random.Random
) -> None:
    tmp_path.chmod(0o755)
    originals = digests(photos)
    installation = Installation(tmp_path / "war", dict(SETTINGS))
    monkey = Monkey(installation, photos, dice)
    try:
        monkey.run(len(FAST), FAST, pause=(0.3, 1.2), patience=120)
        assert monkey.judge(peace, originals) == [], monkey.done
    except AssertionError:
        print(installation.printed()[-6000:])  # noqa: T201
        raise
    finally:
        monkey.bury()


#: Somebody who stands still in the middle of entering something, with the books locked.
STANDS_STILL = """
import django, os, signal
django.setup()
from django.db import transaction
from ingest import ledger
with transaction.atomic():
    ledger.lock_books()
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def _stopped(process: subprocess.Popen[bytes]) -> bool:
    return bool(psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


def test_workers_that_stand_still_beyond_their_lease_stop_nobody_and_spoil_nothing(
    tmp_path: Path, photos: Path, peace: dict[str, Any]
) -> None:
    """One wakes up amid photos that another has finished; one stood still with the books locked."""
    tmp_path.chmod(0o755)
    originals = digests(photos)
    installation = Installation(tmp_path / "sleep", dict(SETTINGS))
    monkey = Monkey(installation, photos, random.Random(0))  # noqa: S311
    environment = installation.environment | {"DJANGO_SETTINGS_MODULE": "photos_project.settings"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        sleeper = installation.start("quickstart", str(photos), "--no-serve")
        started.append(sleeper)
        holds = f"SELECT count(*) FROM library_photo WHERE leased_by LIKE '%:{sleeper.pid}:%'"
        wait_for(lambda: monkey._steps() > 15 and installation.query(holds)[0][0], 90, "a lease")
        psutil.Process(sleeper.pid).suspend()
        keeper = subprocess.Popen([sys.executable, "-c", STANDS_STILL], env=environment, cwd=PROJECT)
        started.append(keeper)
        wait_for(lambda: _stopped(keeper), 60, "the books to be locked")
        time.sleep(LEASE_SECONDS + 1)
        installation.manage("process", timeout=100)
        assert monkey._unfinished() == 0
        for process in started:
            os.kill(process.pid, signal.SIGCONT)
        # The keeper has lost its transaction, the sleeper too if it stood in one: both say so and end.
        assert keeper.wait(60) != 0
        assert sleeper.wait(60) in {0, 1}
        assert monkey.judge(peace, originals) == []
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
        monkey.bury()
