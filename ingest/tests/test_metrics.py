"""What Prometheus reads, and who may read it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from ingest import tallies
from ingest.metrics import METRICS, RUNS, collect, expose
from ingest.models import ScanSession, SessionFolder, StepRun, WorkerCluster, WorkerReport
from library.models import Photo
from library.tests.factories import make_photo, make_root

pytestmark = pytest.mark.django_db

State = Photo.State
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+)')


def scrape(**extra: Any) -> Any:
    return Client().get("/metrics", **{"HTTP_HOST": "localhost", **extra})


def samples(text: str) -> dict[str, float]:
    """Every sample by name and labels; fails on a line that is not of the format."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        key = match[1] + ("{" + match[2] + "}" if match[2] else "")
        assert key not in found, f"twice: {key}"
        found[key] = float(match[3])
    return found


def fill() -> None:
    photo = make_photo()
    make_photo(state=State.PENDING, priority=Photo.Priority.HIGH)
    make_photo(state=State.PROCESSING_OCR)
    make_photo(state=State.FAILED, lost_leases=3)
    run = StepRun.objects.create(photo=photo, step="ocr", status="failed", engine='odd"\\\nname')
    run.milliseconds = 1500
    tallies.count([run])
    OrmQ.objects.create(key="models", payload="x", lock=timezone.now() - timedelta(seconds=1))
    WorkerReport.objects.create(
        worker="box:7:1",
        process_mib=100,
        engines=[
            {"engine": "e/1", "part": "", "ram_mib": 10, "gpu_mib": 20, "seconds": 1, "details": {}},
            {"engine": "e/1", "part": "", "ram_mib": 5, "gpu_mib": 0, "seconds": 1, "details": {}},
        ],
        gpus=[{"name": "Card", "used_mib": 1, "total_mib": 2}],
        at=timezone.now(),
    )


def test_heartbeats_and_held_photos_are_told() -> None:
    now = timezone.now()
    WorkerCluster.objects.create(
        machine="nas", lane="files", workers=2, restarts=3, started_at=now, at=now, beat_at=now
    )
    WorkerCluster.objects.create(machine="nas", lane="models", workers=1, started_at=now, at=now)
    session = ScanSession.objects.create(root=make_root(), status="finished", paused=True)
    folder = SessionFolder.objects.create(session=session, path=b"")
    Photo.objects.create(scan=session.pk, scan_folder=folder.pk)
    Photo.objects.create(scan_folder=folder.pk, state=State.COMPLETED)
    found = samples(scrape().content.decode())
    place = '{machine="nas",lane="files"}'
    assert found[f"heirloom_cluster_workers{place}"] == 2
    assert found[f"heirloom_cluster_restarts_total{place}"] == 3
    assert 0 <= found[f"heirloom_cluster_heartbeat_age_seconds{place}"] < 60
    assert 'heirloom_cluster_heartbeat_age_seconds{machine="nas",lane="models"}' not in found
    assert found["heirloom_photos_held"] == 1


def test_the_figures_are_in_the_text_format() -> None:
    fill()
    answer = scrape()
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    assert text.endswith("\n")
    for metric in METRICS:
        assert text.count(f"# TYPE {metric.name} {metric.kind}\n") == 1
    found = samples(text)
    mib = 1024 * 1024
    expected = {
        'heirloom_photos{state="completed"}': 1,
        'heirloom_photos{state="partial"}': 0,
        'heirloom_photos_waiting{lane="files",priority="high"}': 1,
        'heirloom_photos_waiting{lane="models",priority="normal"}': 1,
        "heirloom_photos_set_aside": 1,
        'heirloom_step_failures{step="ocr"}': 1,
        'heirloom_step_failures{step="faces"}': 0,
        'heirloom_step_runs_total{step="ocr",engine="odd\\"\\\\\\nname",status="failed"}': 1,
        'heirloom_step_seconds_total{step="ocr",engine="odd\\"\\\\\\nname",status="failed"}': 1.5,
        'heirloom_queue_tasks{lane="models",status="waiting"}': 1,
        'heirloom_queue_tasks{lane="files",status="taken"}': 0,
        'heirloom_worker_memory_bytes{worker="box:7"}': 100 * mib,
        'heirloom_engine_memory_bytes{worker="box:7",engine="e/1",part="",where="ram"}': 15 * mib,
        'heirloom_gpu_memory_used_bytes{host="box",gpu="0",name="Card"}': mib,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert 0 <= found['heirloom_worker_report_age_seconds{worker="box:7"}'] < 60


def test_counters_end_in_total_and_nothing_else_does() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert expose({RUNS: []}).count("\n") == 2 * len(METRICS)


def test_the_number_of_queries_is_fixed() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            collect()
        return len(captured)

    empty = queries()
    for _ in range(5):
        fill_one = make_photo(state=State.PENDING)
        tallies.count([StepRun(photo=fill_one, step="hash", status="done", engine=f"e{fill_one.pk}")])
    assert queries() == empty == 13


def test_with_a_token_only_the_token_counts(settings: Any, owner_client: Client) -> None:
    settings.METRICS_TOKEN = "geheim-ü"
    assert scrape().status_code == 401
    assert scrape()["WWW-Authenticate"].startswith("Bearer")
    for wrong in ("Bearer geheim", "Basic geheim-ü", "geheim-ü", "Bearer", "Bearer geheim-ü x"):
        assert scrape(HTTP_AUTHORIZATION=wrong).status_code == 401, wrong
    assert owner_client.get("/metrics").status_code == 401
    foreign = {"REMOTE_ADDR": "203.0.113.5", "HTTP_X_FORWARDED_FOR": "198.51.100.1"}
    assert scrape(HTTP_AUTHORIZATION="bearer geheim-ü", **foreign).status_code == 200


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "127.8.8.8", "HTTP_HOST": "127.0.0.1:8000"}, 200),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, 200),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "192.168.1.7"}, 403),
        ({"REMOTE_ADDR": "::ffff:192.168.1.7"}, 403),
        ({"REMOTE_ADDR": ""}, 403),
        ({"REMOTE_ADDR": "192.168.1.7", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"HTTP_X_REAL_IP": "127.0.0.1"}, 403),
        ({"HTTP_FORWARDED": "for=127.0.0.1"}, 403),
        ({"HTTP_VIA": "1.1 proxy"}, 403),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, 403),
        ({"HTTP_HOST": "photos.example.org"}, 403),
    ],
)
def test_without_a_token_only_this_machine_itself(settings: Any, extra: dict[str, str], status: int) -> None:
    settings.METRICS_TOKEN = None
    settings.ALLOWED_HOSTS = ["photos.example.org", "localhost", "127.0.0.1", "[::1]"]
    answer = scrape(**extra)
    assert answer.status_code == status
    if status == 403:
        assert b"METRICS_TOKEN" in answer.content


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS", True), ("CSRF_TRUSTED_ORIGINS", ["https://photos.example.org"])]
)
def test_behind_a_proxy_the_loopback_address_says_nothing(settings: Any, name: str, value: Any) -> None:
    settings.METRICS_TOKEN = None
    setattr(settings, name, value)
    assert scrape().status_code == 403


def test_only_reading_is_answered() -> None:
    assert Client().post("/metrics", HTTP_HOST="localhost").status_code == 405
    assert Client().head("/metrics", HTTP_HOST="localhost").status_code == 200
