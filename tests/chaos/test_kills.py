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

from tests.product import Installation, digests, wait_for

if not sys.platform.startswith("linux"):
    pytest.skip("The chaos of processes is written for Linux.", allow_module_level=True)

from tests.chaos.monkey import LEASE_SECONDS, SETTINGS, TRICKS, Monkey, make_photos, undisturbed_facts

#: Freezing a worker makes everybody wait for leases; that has a test of its own.
FAST = [name for name in TRICKS if name != "stop a worker beyond its lease"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos")
    folder.chmod(0o755)
    make_photos(folder / "photos", 14)
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
        installation.remove()


def test_a_worker_that_stood_still_beyond_its_lease_spoils_nothing(
    tmp_path: Path, photos: Path, peace: dict[str, Any]
) -> None:
    """It wakes up in the middle of photos that another has finished meanwhile."""
    tmp_path.chmod(0o755)
    originals = digests(photos)
    installation = Installation(tmp_path / "sleep", dict(SETTINGS))
    monkey = Monkey(installation, photos, random.Random(0))  # noqa: S311
    held = "SELECT count(*) FROM library_photo WHERE leased_by LIKE '%:{}:%'"
    try:
        installation.manage("setup_library")
        installation.manage("scan_library", str(photos))
        sleeper = subprocess.Popen(
            installation.command("process"),
            env=installation.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        holds = held.format(sleeper.pid)
        wait_for(lambda: installation.query(holds)[0][0] and monkey._steps() > 15, 90, "a lease")
        psutil.Process(sleeper.pid).suspend()
        time.sleep(LEASE_SECONDS + 1)
        installation.manage("process")
        assert monkey._unfinished() == 0
        os.kill(sleeper.pid, signal.SIGCONT)
        assert sleeper.wait(60) == 0
        assert monkey.judge(peace, originals) == []
    finally:
        installation.remove()
