"""The figures for Prometheus, in its text format 0.0.4. ``METRICS`` is the list of names, and documented.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.utils import timezone

from ingest import clusters, counting, figures, reports, tallies
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
HELD = Metric(
    "heirloom_photos_held", "gauge", (), "Unfinished photos of sessions that are paused or cancelled."
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
CLUSTER_WORKERS = Metric(
    "heirloom_cluster_workers",
    "gauge",
    ("machine", "lane"),
    "Worker processes that a lane should have there.",
)
HEARTBEAT_AGE = Metric(
    "heirloom_cluster_heartbeat_age_seconds",
    "gauge",
    ("machine", "lane"),
    "Time since a worker of the lane last gave a sign of life.",
)
CLUSTER_RESTARTS = Metric(
    "heirloom_cluster_restarts_total",
    "counter",
    ("machine", "lane"),
    "How often its workers were started anew.",
)
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
    *(PHOTOS, WAITING, HELD, SET_ASIDE, FAILURES, RUNS, SECONDS, QUEUED),
    *(CLUSTER_WORKERS, HEARTBEAT_AGE, CLUSTER_RESTARTS),
    *(WORKER_MEMORY, WORKER_AGE, ENGINE_MEMORY, GPU_USED, GPU_TOTAL),
)


def collect() -> dict[Metric, list[Sample]]:
    """All samples, from a fixed number of queries: thirteen."""
    failed = failed_by_step()
    records = tallies.records()
    samples = {
        PHOTOS: [PHOTOS.sample(n, state) for state, n in figures.photos_by_state().items()],
        WAITING: [WAITING.sample(row.photos, row.lane, row.priority_name) for row in figures.waiting()],
        HELD: [HELD.sample(sum(counting.held_by_state().values()))],
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
    return samples | _of_clusters(clusters.clusters()) | _of_workers(reports.reports())


def _of_clusters(told: list[dict[str, Any]]) -> dict[Metric, list[Sample]]:
    now = timezone.now()
    places = [(cluster, (cluster["machine"], cluster["lane"])) for cluster in told]
    return {
        CLUSTER_WORKERS: [CLUSTER_WORKERS.sample(cluster["workers"], *place) for cluster, place in places],
        HEARTBEAT_AGE: [
            HEARTBEAT_AGE.sample((now - datetime.fromisoformat(cluster["beat_at"])).total_seconds(), *place)
            for cluster, place in places
            if cluster["beat_at"]
        ],
        CLUSTER_RESTARTS: [CLUSTER_RESTARTS.sample(cluster["restarts"], *place) for cluster, place in places],
    }


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
