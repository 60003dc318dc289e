"""Sessions of a large library: fragments of the page, the fold of kept counts, and the claim of a batch.

    .venv/bin/python benchmarks/sessions.py [--photos 1000000] [--rounds 100] [--json]

Fills a temporary library with SQL: photos in 2,000 folders, a row of the ledger each, a tenth of them
finished. A quarter waits in a paused session whose priority is higher, a quarter in one that is under way, a
quarter waits for descriptions, the rest belongs to no session. Times are wall milliseconds. Fragments go
through the whole of Django with its test client: "busy" while another process changes photos all the time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from benchmarks.installation import installation  # noqa: E402 - the path comes first

FOLDERS = 2000
PHOTOS = """
INSERT INTO library_photo (sha256, format, taken_source, taken_offset_source, camera_make, camera_model, lens,
    title, description, keywords, exif, is_screenshot, burst, companions, colours, state, priority, scan,
    scan_folder, leased_by, lost_leases, error_message, created_at, updated_at)
SELECT lpad(to_hex(n), 64, '0'), 'jpeg', '', '', '', '', '', '', '', '[]', '{{}}', false, '', '[]', '[]',
    CASE WHEN n % 10 = 0 THEN 'completed' WHEN n % 4 = 3 THEN 'processing_descriptions'
        WHEN n % 8 < 4 THEN 'pending' ELSE 'processing_objects' END,
    20, CASE n % 4 WHEN 0 THEN {paused} WHEN 1 THEN {going} ELSE 0 END * (n % 10 <> 0)::int,
    CASE n % 4 WHEN 0 THEN {paused_folder} WHEN 1 THEN {going_folder} ELSE -{folders} END
        + (n / 7) % {folders},
    '', 0, '', now(), now()
FROM generate_series(1, {photos}) n
"""
LEDGER = """
INSERT INTO ingest_steprun (photo_id, step, engine, status, attempts, milliseconds, error, reason, updated_at)
SELECT id, 'preprocessing', 'bench', CASE WHEN state = 'completed' THEN 'done' ELSE 'pending' END, 1, 50,
    '', '', now() FROM library_photo
"""
BUSY = """
import django; django.setup()
import sys
from django.db import connection
from library.models import Photo
number = 0
ids = list(Photo.objects.filter(scan=int(sys.argv[1])).values_list("pk", flat=True)[:100_000])
while True:
    part = ids[number % 1000 * 100:][:8]
    Photo.objects.filter(pk__in=part).update(state="completed" if number % 2000 < 1000 else "pending")
    number += 1
"""


def fill(photos: int) -> tuple[Any, Any]:
    """Two sessions with their folders; the photos, and the ledger. Returns the paused and the open one."""
    from django.db import connection

    from ingest import counting
    from ingest.models import ScanSession, SessionFolder
    from library.models import Root

    root = Root.objects.create(name="bench", path=b"/nowhere")
    numbers: dict[str, int] = {"photos": photos, "folders": FOLDERS}
    sessions = []
    for name, priority, paused in (("paused", 10, True), ("going", 20, False)):
        session = ScanSession.objects.create(root=root, priority=priority, paused=paused, status="finished")
        top = SessionFolder.objects.create(session=session, path=b"")
        years = SessionFolder.objects.bulk_create(
            SessionFolder(session=session, parent=top, path=b"%d" % (1990 + n)) for n in range(40)
        )
        inner = SessionFolder.objects.bulk_create(
            SessionFolder(
                session=session, parent=years[n % 40], path=bytes(years[n % 40].path) + b"/%05d" % n
            )
            for n in range(FOLDERS)
        )
        numbers |= {name: session.pk, f"{name}_folder": inner[0].pk}
        sessions.append(session)
    with connection.cursor() as cursor:
        cursor.execute(PHOTOS.format(**numbers))
        cursor.execute(LEDGER)
        cursor.execute("VACUUM ANALYZE")
    counting.fold()
    return sessions[0], sessions[1]


@contextmanager
def changing(session: Any) -> Iterator[None]:
    """Another process changes the states of eight photos at a time, as fast as it can."""
    writer = subprocess.Popen([sys.executable, "-c", BUSY, str(session.pk)], cwd=PROJECT)
    time.sleep(3)
    try:
        assert writer.poll() is None, "The writer has ended."
        yield
    finally:
        writer.kill()
        writer.wait()


def milliseconds(work: Callable[[], object], rounds: int) -> dict[str, float]:
    """Median, 95th percentile and the longest of so many rounds, after three that warm up.

    ``cpu`` is the mean time that this process and its connection's server process had a core: what is left
    of the time on a machine that has nothing else to do.
    """
    for _ in range(3):
        work()
    took = []
    cpu = cpu_seconds()
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - started))
    return {
        "p50": round(statistics.median(took), 2),
        "p95": round(statistics.quantiles(took, n=20)[-1], 2),
        "max": round(max(took), 2),
        "cpu": round(1000 * (cpu_seconds() - cpu) / rounds, 2),
    }


def cpu_seconds() -> float:
    """What this process and the server process of its connection have used."""
    from django.db import connection

    connection.ensure_connection()
    backend = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return time.process_time() + backend.user + backend.system


def claims(rounds: int) -> dict[str, dict[str, float]]:
    """A batch for each lane, given back outside of the time; and the look for work where there is none."""
    from ingest import leases, queues
    from ingest.leases import Worker
    from ingest.pipeline import QUICK_STATES, SLOW_STATES
    from library.models import Photo

    worker = Worker.this_process()
    lanes = {"files": Photo.FILES_LANE_STATES, "models": QUICK_STATES, "descriptions": SLOW_STATES}
    found = {}
    for lane, states in lanes.items():
        taken: list[int] = []
        found[f"claim of 32, {lane}"] = milliseconds(
            lambda states=states, taken=taken: taken.extend(leases.claim(worker, states, 32)), rounds
        )
        leases.release(worker, taken)
    nothing = (Photo.State.PROCESSING_FACES,)
    found["claim, nothing there"] = milliseconds(lambda: leases.claim(worker, nothing, 32), rounds)
    found["anything waits"] = milliseconds(lambda: queues.anything_waits(Photo.FILES_LANE_STATES), rounds)
    return found


def fragments(going: Any, rounds: int) -> dict[str, dict[str, float]]:
    """The parts of pages that are asked for every two seconds, and one page as a whole."""
    from django.contrib.auth.models import User
    from django.test import Client
    from django.urls import reverse

    from ingest.models import SessionFolder

    client = Client(headers={"HX-Request": "true"})
    client.force_login(User.objects.get_or_create(username="bench", is_superuser=True)[0])
    year = SessionFolder.objects.filter(session=going, parent__parent=None).exclude(parent=None).first()
    assert year is not None
    addresses = {
        "session": reverse("ingest:session", args=[going.pk]),
        "session, a year's folders": reverse("ingest:session", args=[going.pk]) + f"?in={year.pk}",
        "list of sessions": reverse("ingest:sessions"),
        "progress strip": reverse("ingest:progress"),
        "status page as a whole": reverse("ingest:status"),
    }

    def ask(address: str) -> None:
        assert client.get(address).status_code == 200

    return {
        name: milliseconds(lambda address=address: ask(address), rounds)
        for name, address in addresses.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with installation():
        from django.conf import settings

        from ingest import counting, sessions
        from ingest.retrying import By

        settings.ALLOWED_HOSTS = ["*"]
        paused, going = fill(options.photos)
        result = claims(options.rounds)
        result |= {f"quiet: {name}": row for name, row in fragments(going, options.rounds).items()}
        with changing(going):
            result |= {f"busy: {name}": row for name, row in fragments(going, options.rounds).items()}
        by = By.command()
        result["pause and resume"] = milliseconds(
            lambda: (sessions.pause(session=going, by=by), sessions.resume(session=going, by=by)), 10
        )
        result["recount of everything"] = milliseconds(counting.recount, 1 + 1)
    if options.json:
        print(json.dumps({"photos": options.photos, "milliseconds": result}, indent=2))
        return
    print(f"{options.photos:,} photos, milliseconds")
    for name, row in result.items():
        print(f"  {name:34} " + "  ".join(f"{key} {value:9,.2f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
