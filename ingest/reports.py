"""What the worker processes hold in memory, written by them and read by the status page.

Engines live in the workers, often on another machine than the web server; so each worker keeps one row.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ingest.leases import Worker, is_dead
from ingest.models import WorkerReport
from vision import memory
from vision.memory import FULL, Gpu

EVERY_SECONDS = 10
#: A worker that lives tells at least once a minute, when its slice ends.
SILENT = timedelta(minutes=5)


class Reporter:
    """Keeps the row of this process up to date; asked often, it writes every ten seconds."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._told_at = 0.0

    def tell(self, *, now: bool = False) -> None:
        """Write what is loaded and how much memory is in use. ``now`` also when it was told a moment ago."""
        if not now and time.monotonic() - self._told_at < EVERY_SECONDS:
            return
        WorkerReport.objects.update_or_create(
            worker=self._worker.name,
            defaults={
                "process_mib": memory.process_mib(),
                "engines": [asdict(load) | {"at": load.at.isoformat()} for load in memory.loaded()],
                "gpus": [asdict(gpu) for gpu in memory.gpus()],
                "at": timezone.now(),
            },
        )
        self._told_at = time.monotonic()

    def tidy(self) -> None:
        """Remove the rows of processes that are gone."""
        gone = [row.pk for row in WorkerReport.objects.exclude(worker=self._worker.name) if _is_gone(row)]
        if gone:
            WorkerReport.objects.filter(pk__in=gone).delete()


def reports() -> list[dict[str, Any]]:
    """The rows of the workers that live, as plain data; ``worker`` is ``host:process``."""
    alive = [row for row in _rows() if not _is_gone(row)]
    return [
        {
            "worker": row.worker.rpartition(":")[0],
            "at": row.at.isoformat(),
            "process_mib": row.process_mib,
            "engines": row.engines,
            "gpus": [gpu | {"full": Gpu(**gpu).full} for gpu in row.gpus],
        }
        for row in alive
    ]


def warnings(found: list[dict[str, Any]]) -> list[str]:
    """A sentence for every graphics card that is nearly full, each machine once."""
    full = {
        (report["worker"].rpartition(":")[0], number): gpu
        for report in found
        for number, gpu in enumerate(report["gpus"])
        if gpu["full"]
    }
    return [
        f"The graphics card {gpu['name']} of {host} is {gpu['used_mib'] / gpu['total_mib']:.0%} full "
        f"({gpu['used_mib']:,} of {gpu['total_mib']:,} MiB; the limit for safe work is {FULL:.0%}). Lower "
        "BATCH_SIZE, choose a smaller model, or end what else uses the card."
        for (host, _), gpu in full.items()
    ]


def _rows() -> QuerySet[WorkerReport]:
    return WorkerReport.objects.filter(at__gte=timezone.now() - SILENT)


def _is_gone(row: WorkerReport) -> bool:
    return row.at < timezone.now() - SILENT or is_dead(row.worker)
