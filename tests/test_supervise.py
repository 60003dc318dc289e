"""Workers that hang, a database that restarts, a stop in the middle: with the real processes."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from photos_project import embedded_postgres
from tests.product import Installation, family, wait_for

WORDS = ("harbour", "kitchen", "birthday", "receipt", "garden", "winter", "station", "letter")
UNFINISHED = "SELECT count(*) FROM library_photo WHERE state NOT IN ('completed', 'partial', 'failed')"
DONE = "SELECT count(*) FROM ingest_steprun WHERE status = 'done'"


def make_photos(folder: Path, count: int) -> Path:
    """Different pictures, each with a word to be read."""
    folder.parent.chmod(0o755)
    folder.mkdir()
    for number in range(count):
        image = Image.linear_gradient("L").resize((800, 600)).rotate(17 * number).convert("RGB")
        drawing = ImageDraw.Draw(image)
        drawing.rectangle((60, 200, 740, 370), fill=(255, 255 - 5 * number, 255))
        word = f"{WORDS[number % len(WORDS)]} {number}".upper()
        drawing.text((90, 230), word, fill="black", font=ImageFont.load_default(80))
        image.save(folder / f"{number:02d}.jpg", quality=90)
    return folder


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A library with its embedded server."""
    tmp_path.chmod(0o755)
    made = Installation(tmp_path / "library", {"FILES_WORKERS": "2", "SLICE_SECONDS": "10"})
    yield made
    made.remove()


@pytest.fixture
def external(tmp_path: Path) -> Iterator[tuple[Installation, Path]]:
    """A library on a server that is not its own to start, and the folder of that server."""
    tmp_path.chmod(0o755)
    server = tmp_path / "server"
    url = embedded_postgres.ensure_running(server).url()
    settings = {"FILES_WORKERS": "1", "SLICE_SECONDS": "10", "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    made = Installation(tmp_path / "library", settings)
    made.server = server
    yield made, server
    made.remove()


def count(installation: Installation, sql: str) -> int:
    return int(installation.query(sql)[0][0])


def clusters(installation: Installation) -> dict[str, tuple[int, bool]]:
    """For each lane how often it was started anew, and whether a sign of life has come."""
    rows = installation.query("SELECT lane, restarts, beat_at IS NOT NULL FROM ingest_workercluster")
    return {lane: (restarts, beaten) for lane, restarts, beaten in rows}


def test_a_lane_whose_idle_workers_die_is_started_anew_and_works(
    tmp_path: Path, installation: Installation
) -> None:
    installation.manage("setup_library")
    process = installation.start("supervise", "--lane", "files")
    wait_for(lambda: clusters(installation).get("files") == (0, True), 60, "a sign of life")
    for child in family(process)[3:]:  # the supervisor, the master and the sentinel live on
        child.kill()
    wait_for(lambda: clusters(installation)["files"] == (1, True), 90, "the lane to be started anew")
    installation.manage("scan_library", str(make_photos(tmp_path / "photos", 2)))
    read = "SELECT count(*) FROM library_photo WHERE sha256 IS NOT NULL"
    wait_for(lambda: count(installation, read) == 2, 60, "work after the restart")
    status = installation.json("library_status")
    assert [cluster["restarts"] for cluster in status["workers"]] == [1]
    assert status["workers"][0]["sentence"].startswith("files: 2 workers, last sign ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not clusters(installation)


def test_sigterm_finishes_the_batch_in_hand_and_leaves_nothing(
    tmp_path: Path, installation: Installation
) -> None:
    installation.settings["BATCH_SIZE"] = "4"
    installation.manage("setup_library")
    installation.manage("scan_library", str(make_photos(tmp_path / "photos", 8)))
    process = installation.start("supervise")
    wait_for(lambda: count(installation, DONE) >= 10, 120, "the work to be under way")
    members = family(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    psutil.wait_procs(members, 10)
    assert not [member for member in members if member.is_running()]
    held = "SELECT count(*) FROM library_photo WHERE leased_by <> '' OR lost_leases > 0"
    assert count(installation, held) == 0
    assert count(installation, "SELECT count(*) FROM ingest_steprun WHERE attempts > 1") == 0
    installation.manage("process")
    assert count(installation, UNFINISHED) == 0


def postmaster(data_dir: Path) -> psutil.Process:
    found = embedded_postgres._postmaster(embedded_postgres._home(data_dir))
    assert found is not None
    return found


def kill_9(server: Path) -> None:
    """What the kernel does when memory runs out."""
    process = postmaster(server)
    process.kill()
    process.wait(10)


def restart(server: Path) -> None:
    """What an upgrade of the package does."""
    embedded_postgres.stop(server)


def answers(installation: Installation) -> bool:
    """Whether the web server answers with the database behind it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{installation.port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def check_end(installation: Installation, photos: int) -> None:
    assert count(installation, "SELECT count(*) FROM library_photo") == photos
    bad = "SELECT display_path, state, error_message FROM library_photo p JOIN library_photofile f "
    assert (
        installation.query(f"{bad} ON f.photo_id = p.id WHERE state <> 'completed' OR lost_leases > 0") == []
    )
    assert installation.query("SELECT step, error FROM ingest_steprun WHERE status = 'failed'") == []


@pytest.mark.parametrize("end", [kill_9, restart])
def test_a_restart_of_the_embedded_database_is_survived(
    tmp_path: Path, installation: Installation, end: Callable[[Path], None]
) -> None:
    process = installation.start("quickstart", str(make_photos(tmp_path / "photos", 6)))
    wait_for(lambda: "log in as" in installation.printed(), 90, "the start")
    wait_for(lambda: answers(installation), 60, "the web server")
    wait_for(lambda: count(installation, DONE) >= 8, 120, "the work to be under way")
    end(installation.data_dir)
    wait_for(lambda: answers(installation), 60, "the web server after the restart")
    wait_for(lambda: count(installation, UNFINISHED) == 0, 150, "the end of the work")
    check_end(installation, 6)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(90) == 0


@pytest.mark.parametrize("end", [kill_9, restart])
def test_a_restart_of_an_external_database_is_survived(
    tmp_path: Path, external: tuple[Installation, Path], end: Callable[[Path], None]
) -> None:
    installation, server = external
    installation.manage("setup_library")
    installation.manage("scan_library", str(make_photos(tmp_path / "photos", 6)))
    process = installation.start("supervise")
    wait_for(lambda: count(installation, DONE) >= 8, 120, "the work to be under way")
    end(server)
    wait_for(lambda: "database.away" in installation.printed(), 30, "the outage to be noticed")
    embedded_postgres.ensure_running(server)
    wait_for(lambda: count(installation, UNFINISHED) == 0, 150, "the end of the work")
    check_end(installation, 6)
    assert "child.restarted" not in installation.printed()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
