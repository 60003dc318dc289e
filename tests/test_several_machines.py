"""Two machines on one library: every step is done once, and the end is that of one machine alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from photos_project import embedded_postgres
from tests.product import Installation, digests, wait_for
from tests.test_crash import RESULTS
from tests.test_supervise import UNFINISHED, count, make_photos

PHOTOS = 10
FINISHED = "SELECT count(*) FROM library_photo WHERE state = 'completed'"
MOVES = "SELECT attempts, count(*) FROM ingest_steprun GROUP BY attempts"
SHORT = {"SLICE_SECONDS": "5", "BATCH_SIZE": "2", "LOG_LEVEL": "INFO"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """The database of both machines."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "server"
    embedded_postgres.ensure_running(folder)
    yield folder
    embedded_postgres.remove(folder)


@pytest.fixture
def machines(tmp_path: Path, server: Path) -> Iterator[list[Installation]]:
    """A NAS, and a computer on which the same photos lie elsewhere: each with a data folder of its own."""
    photos = make_photos(tmp_path / "photos", PHOTOS)
    (tmp_path / "mnt").symlink_to(tmp_path)
    common = {
        "DATABASE_URL": embedded_postgres.connection_parameters(server).url(),
        "THUMBNAIL_DIR": str(tmp_path / "shared"),
        "SECRET_KEY": "the same on all machines of a library, fifty letters",
        **SHORT,
    }
    found = []
    for name, workers in (("nas", "2"), ("tower", "1")):
        own = {"MACHINE_NAME": name, "FILES_WORKERS": workers}
        installation = Installation(tmp_path / name, common | own)
        installation.server = server
        found.append(installation)
    found[1].settings["ROOT_MAP"] = f"{photos}={tmp_path}/mnt/photos"
    yield found
    for installation in found:
        for process in installation._started:
            if process.poll() is None:
                process.kill()
                process.wait()


def test_every_step_of_every_photo_is_done_once(tmp_path: Path, machines: list[Installation]) -> None:
    nas, tower = machines
    photos = tmp_path / "photos"
    before = digests(photos)
    nas.manage("setup_library")
    # Both are there before the work comes: they contend for it from the first photo on.
    processes = [machine.start("supervise") for machine in machines]
    ready = "SELECT count(*) FROM ingest_workercluster WHERE beat_at IS NOT NULL"
    wait_for(lambda: count(nas, ready) == 4, 90, "both lanes of both machines")
    nas.manage("scan_library", str(photos))
    wait_for(lambda: count(nas, FINISHED) == PHOTOS, 240, "the end of the work")
    assert [tuple(row) for row in nas.query(MOVES)] == [(1, PHOTOS * 7)]
    assert count(nas, "SELECT count(*) FROM library_photo WHERE lost_leases > 0") == 0
    # Both have worked. That the tower has read photos shows that it found them through ROOT_MAP.
    assert all('"photo.state"' in log(machine) for machine in machines)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in processes] == [0, 0]

    alone = Installation(tmp_path / "alone")
    try:
        alone.manage("quickstart", str(photos), "--no-serve")
        assert nas.query(RESULTS) == alone.query(RESULTS)
    finally:
        alone.remove()
    assert digests(photos) == before


def test_a_machine_without_the_shared_previews_leaves_the_work_alone(
    tmp_path: Path, machines: list[Installation]
) -> None:
    nas, tower = machines
    tower.settings["THUMBNAIL_DIR"] = str(tmp_path / "its own")
    nas.manage("setup_library")
    reading = nas.start("supervise", "--lane", "files")
    wait_for(lambda: count(nas, "SELECT count(*) FROM ingest_workercluster") == 1, 60, "the first machine")
    looking = tower.start("supervise", "--lane", "models")
    nas.manage("scan_library", str(tmp_path / "photos"))
    wait_for(lambda: '"lane.idle"' in log(tower), 60, "the second machine to refuse")
    assert count(nas, "SELECT count(*) FROM ingest_steprun WHERE attempts > 1") == 0
    assert count(nas, "SELECT count(*) FROM ingest_steprun WHERE step <> 'preprocessing'") == 0
    warnings = nas.json("library_status")["warnings"]
    assert any("is not the folder that nas writes to" in warning for warning in warnings)
    # Once it is mounted, the work goes on.
    looking.send_signal(signal.SIGTERM)
    assert looking.wait(60) == 0
    tower.settings["THUMBNAIL_DIR"] = nas.settings["THUMBNAIL_DIR"]
    looking = tower.start("supervise", "--lane", "models")
    wait_for(lambda: count(nas, UNFINISHED) == 0, 240, "the end of the work")
    for process in (reading, looking):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def log(machine: Installation) -> str:
    return machine.printed()
