"""The figures for Prometheus, in its text format 0.0.4. ``METRICS`` is the list of names, and documented.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.utils import timezone

from ingest import figures, reports, tallies
from ingest.failures import failed_by_step, set_aside
from ingest.models import StepRun

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MIB = 1024 * 1024

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A name with what it means; ``labels`` are the same for all its samples."""

    name: str
    kind: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    help: str

    def sample(self, value: float, *labels: str) -> Sample:
        """One value, with the values of the labels in their order."""
        return tuple(zip(self.labels, labels, strict=True)), value


PHOTOS = Metric("heirloom_photos", "gauge", ("state",), "Photos in this state of the pipeline.")
WAITING = Metric(
    "heirloom_photos_waiting", "gauge", ("lane", "priority"), "Photos not finished, by lane and priority."
)
SET_ASIDE = Metric(
    "heirloom_photos_set_aside", "gauge", (), "Photos set aside because their workers died over them."
)
FAILURES = Metric("heirloom_step_failures", "gauge", ("step",), "Entries of the ledger that are failed now.")
RUNS = Metric(
    "heirloom_step_runs_total", "counter", ("step", "engine", "status"), "Runs of steps on photos, ever."
)
SECONDS = Metric(
    "heirloom_step_seconds_total", "counter", ("step", "engine", "status"), "Time spent in these runs."
)
QUEUED = Metric("heirloom_queue_tasks", "gauge", ("lane", "status"), "Tasks in the queue: waiting or taken.")
WORKER_MEMORY = Metric(
    "heirloom_worker_memory_bytes", "gauge", ("worker",), "Resident memory of a worker of the models lane."
)
WORKER_AGE = Metric(
    "heirloom_worker_report_age_seconds", "gauge", ("worker",), "Time since this worker last reported."
)
ENGINE_MEMORY = Metric(
    "heirloom_engine_memory_bytes",
    "gauge",
    ("worker", "engine", "part", "where"),
    "What a loaded engine holds: ram, or gpu.",
)
GPU_USED = Metric("heirloom_gpu_memory_used_bytes", "gauge", ("host", "gpu", "name"), "Memory in use.")
GPU_TOTAL = Metric("heirloom_gpu_memory_total_bytes", "gauge", ("host", "gpu", "name"), "Memory in all.")

METRICS = (
    *(PHOTOS, WAITING, SET_ASIDE, FAILURES, RUNS, SECONDS, QUEUED),
    *(WORKER_MEMORY, WORKER_AGE, ENGINE_MEMORY, GPU_USED, GPU_TOTAL),
)


def collect() -> dict[Metric, list[Sample]]:
    """All samples, from a fixed number of queries: eleven."""
    failed = failed_by_step()
    records = tallies.records()
    samples = {
        PHOTOS: [PHOTOS.sample(n, state) for state, n in figures.photos_by_state().items()],
        WAITING: [WAITING.sample(row.photos, row.lane, row.priority_name) for row in figures.waiting()],
        SET_ASIDE: [SET_ASIDE.sample(set_aside().count())],
        FAILURES: [FAILURES.sample(failed.get(step.value, 0), step.value) for step in StepRun.Step],
        RUNS: [
            RUNS.sample(runs, record.step, record.engine, status)
            for record in records
            for status, runs in record.runs.items()
        ],
        SECONDS: [
            SECONDS.sample(total / 1000, record.step, record.engine, status)
            for record in records
            for status, total in record.milliseconds.items()
        ],
        QUEUED: [
            QUEUED.sample(count, queue.lane, status)
            for queue in figures.queues()
            for status, count in (("waiting", queue.waiting), ("taken", queue.taken))
        ],
    }
    return samples | _of_workers(reports.reports())


def _of_workers(told: list[dict[str, Any]]) -> dict[Metric, list[Sample]]:
    now = timezone.now()
    gpus = {
        (report["worker"].rpartition(":")[0], str(number), gpu["name"]): gpu
        for report in told
        for number, gpu in enumerate(report["gpus"])
    }
    # An engine may hold several parts of one name: their memory is one sample.
    held: dict[tuple[str, str, str, str], float] = {}
    for report in told:
        for load in report["engines"]:
            for where in ("ram", "gpu"):
                key = (report["worker"], load["engine"], load["part"], where)
                held[key] = held.get(key, 0) + (load[f"{where}_mib"] or 0) * _MIB
    return {
        WORKER_MEMORY: [WORKER_MEMORY.sample(row["process_mib"] * _MIB, row["worker"]) for row in told],
        WORKER_AGE: [
            WORKER_AGE.sample((now - datetime.fromisoformat(row["at"])).total_seconds(), row["worker"])
            for row in told
        ],
        ENGINE_MEMORY: [ENGINE_MEMORY.sample(bytes_, *key) for key, bytes_ in held.items()],
        GPU_USED: [GPU_USED.sample(gpu["used_mib"] * _MIB, *key) for key, gpu in gpus.items()],
        GPU_TOTAL: [GPU_TOTAL.sample(gpu["total_mib"] * _MIB, *key) for key, gpu in gpus.items()],
    }


def expose(samples: dict[Metric, list[Sample]]) -> str:
    """The text that Prometheus reads."""
    return "".join(f"{line}\n" for metric in METRICS for line in _lines(metric, samples.get(metric, [])))


def _lines(metric: Metric, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escape(metric.help)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, value in samples:
        pairs = ",".join(f'{name}="{_escape(text, quote=True)}"' for name, text in labels)
        yield f"{metric.name}{{{pairs}}} {_number(value)}" if pairs else f"{metric.name} {_number(value)}"


def _escape(text: str, *, quote: bool = False) -> str:
    """Backslash and line feed have to be escaped everywhere, quotes only within labels."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quote else escaped


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
