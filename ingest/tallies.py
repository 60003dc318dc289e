"""Kept counts of how often each step ended how, with which engine, and how long it took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import F

from ingest.models import ScanSession, SessionStep, StepRun, StepTally


@dataclass(slots=True)
class EngineRecord:
    """What one engine did at one step since the library began."""

    step: str
    engine: str
    runs: dict[str, int] = field(default_factory=dict)
    milliseconds: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Runs with a result."""
        return self.runs.get(StepRun.Status.DONE, 0)

    @property
    def failed(self) -> int:
        """Runs with an error."""
        return self.runs.get(StepRun.Status.FAILED, 0)

    @property
    def skipped(self) -> int:
        """Runs for which there was no engine."""
        return self.runs.get(StepRun.Status.SKIPPED, 0)

    @property
    def success(self) -> float | None:
        """The part of the runs that gave a result, 0..1; None when nothing was run."""
        tried = self.done + self.failed
        return self.done / tried if tried else None

    @property
    def success_percent(self) -> str:
        """``99.9 %``; 100 only without a failure, 0 only without a result."""
        if self.success is None:
            return ""
        return (
            f"{min(max(self.success, 0.001), 0.999):.1%}"
            if self.done and self.failed
            else f"{self.success:.0%}"
        )

    @property
    def mean_milliseconds(self) -> float | None:
        """A photo's share of its batch, over the runs that gave a result."""
        return self.milliseconds.get(StepRun.Status.DONE, 0) / self.done if self.done else None


def count(rows: Iterable[StepRun]) -> None:
    """Add these runs. The caller holds the lock of the books, so that a first row is made once."""
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        entry = sums[row.step, row.engine, row.status]
        entry[0] += 1
        entry[1] += row.milliseconds
    for (step, engine, status), (runs, milliseconds) in sorted(sums.items()):
        known = StepTally.objects.filter(step=step, engine=engine, status=status)
        if not known.update(runs=F("runs") + runs, milliseconds=F("milliseconds") + milliseconds):
            StepTally.objects.create(
                step=step, engine=engine, status=status, runs=runs, milliseconds=milliseconds
            )


def count_in_sessions(rows: Iterable[StepRun], scans: Mapping[int, int]) -> None:
    """Add the runs of photos that wait for a session to it; ``scans`` names the session of a photo.

    The caller holds the lock of the books.
    """
    sums: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        if row.photo_id in scans:
            entry = sums[scans[row.photo_id], row.step, row.status, row.reason]
            entry[0] += 1
            entry[1] += row.milliseconds
    known = set(ScanSession.objects.filter(pk__in={key[0] for key in sums}).values_list("pk", flat=True))
    for (scan, step, status, reason), (runs, milliseconds) in sorted(sums.items()):
        if scan not in known:
            continue  # its root was removed
        fields = {"session_id": scan, "step": step, "status": status, "reason": reason}
        same = SessionStep.objects.filter(**fields)
        if not same.update(runs=F("runs") + runs, milliseconds=F("milliseconds") + milliseconds):
            SessionStep.objects.create(**fields, runs=runs, milliseconds=milliseconds)


def records() -> list[EngineRecord]:
    """Every step with every engine that ran it, in the order of the pipeline; one query over a few rows."""
    order = [step.value for step in StepRun.Step]
    found: dict[tuple[str, str], EngineRecord] = {}
    for row in StepTally.objects.all():
        record = found.setdefault((row.step, row.engine), EngineRecord(row.step, row.engine))
        record.runs[row.status] = row.runs
        record.milliseconds[row.status] = row.milliseconds
    return sorted(found.values(), key=lambda record: (order.index(record.step), record.engine))
