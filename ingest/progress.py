"""How far the library is: the numbers behind the progress bar, the status page and the status command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet, Sum
from django.utils import timezone

from ingest import clusters, counting, reports, step_counts
from ingest.models import ScanSession, StepRun
from ingest.pipeline import switched_off, todays_engines
from ingest.states import PIPELINE
from ingest.switching import unusual
from library.engines import registry
from library.models import Photo, TagMapping
from vision.results import EngineStatus

RATE_WINDOW = timedelta(seconds=60)
REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of photos. ``per_minute`` is over the last minute, ``seconds_left`` follows from it.

    ``held`` wait in sessions that are paused or cancelled, by state: nobody works on them, so they are in
    ``total`` and not in ``by_state``.
    """

    total: int
    completed: int
    partial: int
    failed: int
    waiting: int
    by_state: dict[str, int]
    per_minute: float | None
    seconds_left: int | None
    held: int = 0

    @property
    def finished(self) -> int:
        """Photos the pipeline is done with, one way or the other."""
        return self.completed + self.partial + self.failed

    @property
    def in_progress(self) -> int:
        """Photos that are not finished."""
        return self.total - self.finished - self.held

    @property
    def percent(self) -> int:
        """0..100 by the steps done, so that it moves while a batch is under way; 100 only at the end."""
        if not self.in_progress:
            return 100
        share = {state.value: position / len(PIPELINE) for position, state in enumerate(PIPELINE)}
        done = sum(n * share.get(state, 1.0) for state, n in self.by_state.items())
        return min(99, int(100 * done / (self.total - self.held)))

    @property
    def running(self) -> bool:
        """Whether anything is left to do."""
        return self.in_progress > 0


def progress(photos: QuerySet[Photo] | None = None) -> Progress:
    """Of these photos: one query for the counts, one for the rate. By default of all, from kept counts."""
    if photos is not None:
        counts = photos.order_by().values_list("state").annotate(n=Count("pk"))
        return _progress(dict(counts), {}, lambda: _per_minute(photos))
    counting.fold()
    return _progress(counting.by_state(), counting.held_by_state(), _per_minute_of_all)


def _progress(counts: dict[str, int], held: dict[str, int], rate: Callable[[], float | None]) -> Progress:
    total = sum(counts.values())
    by_state = {state.value: counts[state] - held.get(state, 0) for state in Photo.State if state in counts}
    by_state = {state: photos for state, photos in by_state.items() if photos > 0}
    final = {state: by_state.get(state, 0) for state in Photo.FINAL_STATES}
    left = sum(by_state.values()) - sum(final.values())
    per_minute = rate() if left else None
    return Progress(
        total=total,
        completed=final[Photo.State.COMPLETED],
        partial=final[Photo.State.PARTIAL],
        failed=final[Photo.State.FAILED],
        waiting=by_state.get(Photo.State.PENDING, 0),
        by_state=by_state,
        per_minute=per_minute,
        seconds_left=round(60 * left / per_minute) if per_minute else None,
        held=total - sum(by_state.values()),
    )


def _per_minute_of_all() -> float | None:
    per_second = counting.per_second()
    return 60 * per_second if per_second else None


def _per_minute(photos: QuerySet[Photo]) -> float | None:
    """Photos finished in the last minute; None when there were none."""
    since = timezone.now() - RATE_WINDOW
    finished = photos.filter(state__in=Photo.FINAL_STATES, updated_at__gte=since).count()
    return float(finished) if finished else None


def steps(photos: QuerySet[Photo] | None = None) -> list[dict[str, Any]]:
    """For each step of the ledger: how many are done, failed, skipped, to be run; time a photo and in all."""
    if photos is None:
        return _all_steps()
    runs = StepRun.objects.filter(photo__in=photos)
    counts = {status.value: Count("pk", filter=Q(status=status)) for status in StepRun.Status}
    rows: Any = (
        runs.exclude(step__in=switched_off())
        .order_by()
        .values("step")
        .annotate(
            **counts,
            mean=Avg("milliseconds", filter=Q(status=StepRun.Status.DONE)),
            total=Sum("milliseconds"),
        )
    )
    order = [step.value for step in StepRun.Step]
    return [
        {
            "step": row["step"],
            **{name: row[name] for name in counts},
            "mean_milliseconds": round(row["mean"] or 0),
            "seconds": round((row["total"] or 0) / 1000, 2),
        }
        for row in sorted(rows, key=lambda row: order.index(row["step"]))
    ]


def _all_steps() -> list[dict[str, Any]]:
    """Of the whole library, from kept counts: reading the ledger of a million photos takes seconds."""
    step_counts.fold()
    found = step_counts.by_step()
    rows = []
    for step in StepRun.Step:
        if step.value not in found or step in switched_off():
            continue
        counts = {status.value: found[step.value].get(status.value, (0, 0)) for status in StepRun.Status}
        done, time = counts[StepRun.Status.DONE]
        rows.append(
            {
                "step": step.value,
                **{status: runs for status, (runs, _) in counts.items()},
                "mean_milliseconds": round(time / done) if done else 0,
                "seconds": round(sum(time for _, time in counts.values()) / 1000, 2),
            }
        )
    return rows


def engines() -> list[EngineStatus]:
    """Which engines can run here, and why the others cannot."""
    return registry().status(TagMapping.objects.vocabulary())


def spaces() -> list[dict[str, Any]]:
    """Vector spaces with which not all is as usual, each with a sentence about it."""
    return [state.as_data() for state in unusual()]


def warnings(memory: list[dict[str, Any]]) -> list[str]:
    """What a person has to do something about; ``memory`` is ``reports.reports()``."""
    return [*reports.warnings(memory), *_could_not_start()]


def _could_not_start() -> list[str]:
    """A sentence for each reason why engines left photos out although they count as live.

    An engine counts as live when its files are there. That a card is missing, or that the content of a file
    is damaged, turns up when a worker loads it.
    """
    live = [step for step, (_, engine) in todays_engines().items() if engine is not None]
    skipped = StepRun.objects.filter(status=StepRun.Status.SKIPPED, step__in=live)
    finished = skipped.filter(photo__state__in=(Photo.State.COMPLETED, Photo.State.PARTIAL))
    reasons: dict[str, dict[str, int]] = {}
    counted = finished.order_by().values_list("error", "step").annotate(n=Count("pk"))
    for reason, step, count in counted.order_by("-n", "step"):
        reasons.setdefault(reason, {})[step] = count
    return [
        f"{max(counts.values()):,} photos were left out ({', '.join(sorted(counts))}): {reason}"
        for reason, counts in list(reasons.items())[:REASONS_SHOWN]
    ]


def failures(most: int = 100) -> list[dict[str, str]]:
    """Photos that failed, with their files and the reason."""
    failed = Photo.objects.filter(state=Photo.State.FAILED).prefetch_related("files").order_by("-pk")[:most]
    return [
        {"photo": str(photo.pk), "path": file.display_path, "reason": photo.error_message}
        for photo in failed
        for file in photo.files.all()
    ]


def latest_skips(most: int = 100) -> list[dict[str, str]]:
    """What the last scan of each root left out, with the reason."""
    whole = ScanSession.objects.filter(partial=False)
    latest = whole.order_by("root_id", "-started_at", "-pk").distinct("root_id")
    return [skip for session in latest for skip in session.skips][:most]


def summary() -> dict[str, Any]:
    """Everything above as plain data: what ``--json`` prints."""
    now = progress()
    memory = reports.reports()
    workers = clusters.clusters()
    return {
        "photos": {"total": now.total, **now.by_state},
        "steps": {row.pop("step"): row for row in steps()},
        "engines": [asdict(engine) for engine in engines()],
        "memory": memory,
        "spaces": spaces(),
        "workers": workers,
        "warnings": clusters.warnings(workers) + warnings(memory),
        "failed": failures(1000),
        "skipped": latest_skips(1000),
    }
