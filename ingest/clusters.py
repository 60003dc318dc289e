"""What is known of the worker clusters of all machines: who works, who is silent, who shares no previews.

The supervisor of a machine writes a row for each of its lanes, and a mark into THUMBNAIL_DIR. A machine that
does not see the marks of the others has a THUMBNAIL_DIR of its own: what it reads has no preview elsewhere,
and the other way round, so photos would be read again and again. So whoever came later leaves the
work alone.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Min, QuerySet, Sum
from django.utils import timezone

from ingest.models import WorkerCluster

#: A supervisor writes every few seconds; one that has not for so long is gone.
GONE = timedelta(seconds=90)
#: What is gone is spoken of for a day: a machine that was switched off for good needs no eternal warning.
FORGOTTEN = timedelta(days=1)


def alive() -> QuerySet[WorkerCluster]:
    """The clusters whose supervisor has looked lately."""
    return WorkerCluster.objects.filter(at__gte=timezone.now() - GONE)


def workers(lane: str) -> int:
    """Worker processes of a lane on all machines; 0 when no supervisor has told of any."""
    return alive().filter(lane=lane).aggregate(n=Sum("workers"))["n"] or 0


def clusters() -> list[dict[str, Any]]:
    """Every cluster as plain data, with a sentence such as "files: 2 workers, last sign 3 s ago"."""
    now = timezone.now()
    rows = WorkerCluster.objects.filter(at__gte=now - FORGOTTEN)
    several = len({row.machine for row in rows}) > 1
    return [
        {
            "machine": row.machine,
            "lane": row.lane,
            "workers": row.workers,
            "beat_at": row.beat_at.isoformat() if row.beat_at else None,
            "restarts": row.restarts,
            "silent": _is_silent(row, now),
            "message": row.message,
            "sentence": _sentence(row, now, several=several),
        }
        for row in rows
    ]


def warnings(found: list[dict[str, Any]]) -> list[str]:
    """A sentence for every cluster with which something is wrong."""
    silent = [
        f"Workers are silent: {cluster['sentence']}. Does {cluster['machine']} run? Start them there with "
        f"`manage.py supervise --lane {cluster['lane']}` (or quickstart)."
        for cluster in found
        if cluster["silent"]
    ]
    return silent + [f"{cluster['machine']}: {cluster['message']}" for cluster in found if cluster["message"]]


def _sign(row: WorkerCluster) -> datetime:
    return row.beat_at or row.started_at


def _is_silent(row: WorkerCluster, now: datetime) -> bool:
    return now - row.at > GONE or now - _sign(row) > timedelta(seconds=settings.HEARTBEAT_SECONDS)


def _sentence(row: WorkerCluster, now: datetime, *, several: bool) -> str:
    where = f" on {row.machine}" if several else ""
    count = "1 worker" if row.workers == 1 else f"{row.workers} workers"
    sign = f"last sign {_ago(now - row.beat_at)}" if row.beat_at else "no sign yet"
    again = f", started anew {row.restarts} times" if row.restarts > 1 else ""
    again = ", started anew once" if row.restarts == 1 else again
    return f"{row.lane}{where}: {count}, {sign}{again}"


def _ago(time: timedelta) -> str:
    seconds = max(0, round(time.total_seconds()))
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"


def mark(machine: str) -> Path:
    """The file that shows the other machines that they see the same THUMBNAIL_DIR."""
    return Path(settings.THUMBNAIL_DIR) / "machines" / hashlib.sha256(machine.encode()).hexdigest()[:16]


def leave_mark() -> str:
    """Show that this machine writes here. Returns why it cannot; empty when it can."""
    own = mark(settings.MACHINE_NAME)
    try:
        if not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(f"{settings.MACHINE_NAME}\n", encoding="utf-8")
    except OSError as error:
        return f"THUMBNAIL_DIR={settings.THUMBNAIL_DIR} cannot be written: {error.strerror}."
    return ""


def problem() -> str:
    """Why this machine must not work; empty when all is well. One small query."""
    mine = alive().filter(machine=settings.MACHINE_NAME).aggregate(at=Min("started_at"))["at"]
    others = alive().exclude(machine=settings.MACHINE_NAME)
    if mine:
        others = others.filter(started_at__lt=mine)
    apart = sorted({row.machine for row in others if not mark(row.machine).exists()})
    if not apart:
        return ""
    return (
        f"THUMBNAIL_DIR={settings.THUMBNAIL_DIR} of {settings.MACHINE_NAME} is not the folder that "
        f"{', '.join(apart)} writes to, so this machine does no work. Mount that folder here and name it in "
        "THUMBNAIL_DIR (docs/operations.md, Several machines)."
    )
