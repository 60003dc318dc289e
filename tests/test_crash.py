"""Kill anything at any moment, start again: the library ends as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.product import Installation, digests, family, interrupt, wait_for

RESULTS = """
    SELECT f.display_path, p.sha256, p.state, p.width, p.height, p.lost_leases, p.leased_by, o.text,
           h.pdq::text, (SELECT count(*) FROM people_face WHERE photo_id = p.id),
           (SELECT string_agg(step || ':' || status || ':' || engine, ' ' ORDER BY step)
            FROM ingest_steprun WHERE photo_id = p.id),
           (SELECT count(*) FROM library_duplicatepair WHERE p.id IN (first_id, second_id)),
           d.document::text, p.duplicate_of_id IS NULL
    FROM library_photofile f JOIN library_photo p ON p.id = f.photo_id
    LEFT JOIN library_ocrtext o ON o.photo_id = p.id LEFT JOIN library_photohash h ON h.photo_id = p.id
    LEFT JOIN search_searchdocument d ON d.photo_id = p.id
    ORDER BY f.display_path
"""
END = "Ctrl-C stops everything"
WORDS = ("harbour", "kitchen", "birthday", "receipt", "garden", "winter", "station", "letter", "orchard")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine pictures with a word each, and a broken one."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "family photos"
    folder.mkdir()
    for number, word in enumerate(WORDS):
        image = Image.linear_gradient("L").resize((1600, 1200)).rotate(36 * number).convert("RGB")
        drawing = ImageDraw.Draw(image)
        drawing.rectangle((100, 400, 1500, 700), fill="white")
        drawing.text((150, 450), word.upper(), fill="black", font=ImageFont.load_default(160))
        image.save(folder / f"{number:02d}.jpg", quality=90)
    (folder / "broken.jpg").write_bytes((folder / "00.jpg").read_bytes()[:20_000])
    return folder


@pytest.fixture
def undisturbed(tmp_path: Path, photos: Path) -> Iterator[Installation]:
    """A library that was left in peace."""
    installation = Installation(tmp_path / "peace")
    installation.manage("quickstart", str(photos), "--no-serve")
    yield installation
    installation.remove()


def test_kill_9_of_any_process_loses_nothing(tmp_path: Path, photos: Path, undisturbed: Installation) -> None:
    before = digests(photos)
    installation = Installation(tmp_path / "war")
    try:
        _kill_one_after_the_other(installation, photos)
        ends = installation.printed().count(END)
        process = installation.start("quickstart", str(photos))
        wait_for(lambda: installation.printed().count(END) > ends, 150, "the end of the work")
        assert _unfinished(installation) == 0
        assert interrupt(process) == 0
        assert installation.query(RESULTS) == undisturbed.query(RESULTS)
        assert not list(installation.data_dir.rglob("*.tmp"))
        assert digests(photos) == before
    finally:
        installation.remove()


def _kill_one_after_the_other(installation: Installation, photos: Path) -> None:
    """A worker, a cluster's master, a server process of the database, and at last the command itself."""
    process = installation.start("quickstart", str(photos))
    wait_for(lambda: _steps(installation) >= 1, 90, "the first step to be done")
    workers = [child for child in family(process) if "--name" in _arguments(child)]
    for victim in (workers[-1], workers[0]):
        victim.kill()
        wait_for(lambda victim=victim: not _lives(victim), 10, "a killed process to be gone")
    done = _steps(installation)
    wait_for(lambda: _steps(installation) > done or _unfinished(installation) == 0, 90, "work to go on")
    backends = [
        p for p in psutil.process_iter() if "postgres: heirloom" in _arguments(p) and _of(p, installation)
    ]
    for backend in backends[:1]:
        backend.kill()
    # What lives on (a cluster may hang after the loss of a worker) is for the next start to end.
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def _arguments(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _of(process: psutil.Process, installation: Installation) -> bool:
    parent = process.parent()
    return parent is not None and str(installation.data_dir) in _arguments(parent)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _steps(installation: Installation) -> int:
    return _count(installation, "SELECT count(*) FROM ingest_steprun WHERE status = 'done'")


def _unfinished(installation: Installation) -> int:
    final = "('completed', 'partial', 'failed')"
    if not _count(installation, "SELECT count(*) FROM library_photo"):
        return 1
    return _count(installation, f"SELECT count(*) FROM library_photo WHERE state NOT IN {final}")


def _count(installation: Installation, sql: str) -> int:
    tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'ingest_steprun'"
    return installation.query(sql)[0][0] if installation.query(tables)[0][0] else 0
