"""How far sessions are, from kept counts: every figure here is a few rows, whatever the number of photos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from ingest import counting
from ingest.models import PhotoCount, ScanSession, SessionFolder, SessionStep, StepRun
from ingest.states import PIPELINE
from library.models import Photo

FOLDERS_A_PAGE = 50
FAILURES_SHOWN = 10
_SHARE = {state.value: position / len(PIPELINE) for position, state in enumerate(PIPELINE)}
_DOING = {
    Photo.State.PENDING: "waiting to be read",
    Photo.State.PREPROCESSING: "being read",
    Photo.State.PROCESSING_OBJECTS: "objects",
    Photo.State.PROCESSING_EMBEDDINGS: "embeddings",
    Photo.State.PROCESSING_OCR: "OCR",
    Photo.State.PROCESSING_FACES: "faces",
    Photo.State.PROCESSING_HASH: "hash",
    Photo.State.CHECKING_DUPLICATES: "duplicates",
    Photo.State.PROCESSING_DESCRIPTIONS: "descriptions",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """Photos that a session took up, in a folder with those below, by what became of them."""

    by_state: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    taken: int = 0

    @property
    def photos(self) -> int:
        """All of them. Files with the same bytes are one photo."""
        return sum(self.by_state.values())

    @property
    def failed(self) -> int:
        """Photos that could not be read, or were set aside."""
        return self.by_state.get(Photo.State.FAILED, 0)

    @property
    def done(self) -> int:
        """Photos that are finished, also where a step failed."""
        return self.by_state.get(Photo.State.COMPLETED, 0) + self.partial

    @property
    def partial(self) -> int:
        """Those of the finished ones of which a step failed."""
        return self.by_state.get(Photo.State.PARTIAL, 0)

    @property
    def left(self) -> int:
        """Photos that are not finished."""
        return self.photos - self.done - self.failed

    @property
    def known(self) -> int:
        """Files that there was no work with."""
        return max(self.found - self.taken, 0)

    @property
    def percent(self) -> int:
        """0..100 by the steps done; 100 only when nothing is left."""
        if not self.left:
            return 100
        done = sum(photos * _SHARE.get(state, 1.0) for state, photos in self.by_state.items())
        return min(99, int(100 * done / self.photos))

    @property
    def doing(self) -> list[tuple[str, int]]:
        """What the unfinished photos wait for or are in, in the order of the pipeline."""
        return [(words, self.by_state[state]) for state, words in _DOING.items() if self.by_state.get(state)]


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session as people see it."""

    session: ScanSession
    counts: Counts
    per_second: float | None = None
    top: SessionFolder | None = None

    @property
    def phase(self) -> str:
        """In a word: queued, looking, working, paused, cancelled, done, stopped, failed."""
        status = self.session.status
        if status == ScanSession.Status.CANCELLED:
            return "cancelled"
        if self.session.paused and (self.is_walked or self.counts.left):
            return "paused"
        if status == ScanSession.Status.QUEUED:
            return "queued"
        if status == ScanSession.Status.RUNNING:
            return "looking"
        if self.counts.left:
            return "working"
        return "done" if status == ScanSession.Status.FINISHED else status

    @property
    def is_walked(self) -> bool:
        """Whether the walk over its folder is still to be made, or goes on."""
        return self.session.status in (ScanSession.Status.QUEUED, ScanSession.Status.RUNNING)

    @property
    def open(self) -> bool:
        """Whether there is something to pause or to cancel."""
        return self.phase in ("queued", "looking", "working", "paused")

    @property
    def moving(self) -> bool:
        """Whether the figures may change by themselves; what is in the workers' hands ends after a pause."""
        in_hand = self.counts.by_state.get(Photo.State.PREPROCESSING, 0)
        return self.phase in ("queued", "looking", "working") or bool(in_hand)

    @property
    def percent(self) -> int | None:
        """None while the walk goes on: nobody knows yet how much there is."""
        return None if self.phase in ("queued", "looking") else self.counts.percent

    @property
    def seconds_left(self) -> int | None:
        """At the pace of the last minutes; None without one, and while more is being found."""
        if not self.per_second or self.phase != "working":
            return None
        return round(self.counts.left / self.per_second)

    @property
    def elapsed(self) -> int:
        """Seconds since it was started."""
        return round((timezone.now() - self.session.started_at).total_seconds())

    @property
    def title(self) -> str:
        """Root and folder."""
        return f"{self.session.root.name}/{self.session.folder}".rstrip("/")

    @property
    def tone(self) -> str:
        """Class of its badge."""
        tones = {"done": "good", "failed": "bad", "stopped": "warn", "paused": "warn", "cancelled": "warn"}
        return tones.get(self.phase, "")

    def as_data(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        counts = self.counts
        return {
            "id": self.session.pk,
            "folder": self.title,
            "phase": self.phase,
            "status": self.session.status,
            "paused": self.session.paused,
            "priority": Photo.Priority(self.session.priority).name.lower(),
            "found": self.session.found,
            "photos": counts.photos,
            "done": counts.done,
            "partial": counts.partial,
            "failed": counts.failed,
            "left": counts.left,
            "percent": self.percent,
            "per_second": round(self.per_second, 2) if self.per_second else None,
            "seconds_left": self.seconds_left,
            "by_state": dict(counts.by_state),
            "message": self.session.message,
            "started_at": self.session.started_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class StepPace:
    """One step of a session: what it cost and how often it failed."""

    step: str
    runs: int
    failed: int
    mean_milliseconds: float | None
    share: int


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder right in the one that is looked at."""

    folder: SessionFolder
    counts: Counts

    def as_cells(self) -> dict[str, Any]:
        """What a table shows of it: pk, name, percent, and the numbers found, done, failed and left."""
        counts = self.counts
        numbers = (counts.found, counts.done, counts.failed, counts.left)
        return {
            "pk": self.folder.pk,
            "name": self.folder.name,
            "percent": counts.percent,
            "numbers": [f"{number:,}" for number in numbers],
        }


def states_of(sessions: Iterable[ScanSession]) -> list[SessionState]:
    """How these stand; a constant number of queries."""
    sessions = list(sessions)
    counting.fold()
    tops = {top.session_id: top for top in SessionFolder.objects.filter(session__in=sessions, parent=None)}
    counts = _counts(list(tops.values()))
    paces = counting.per_second_of(session.pk for session in sessions)
    return [
        SessionState(
            session,
            counts[tops[session.pk].pk] if session.pk in tops else Counts(),
            paces.get(session.pk),
            tops.get(session.pk),
        )
        for session in sessions
    ]


def shown() -> QuerySet[ScanSession]:
    """Sessions as their pages need them: without the list of what was left out, which may be long."""
    return ScanSession.objects.select_related("root").defer("skips", "skip_reasons")


def open_sessions(*, most: int) -> list[SessionState]:
    """The newest sessions of which something is left: a walk to be made, or unfinished photos."""
    counting.fold()
    not_over = shown().exclude(status=ScanSession.Status.CANCELLED)
    unfinished = PhotoCount.objects.filter(folder__parent=None, folder__isnull=False, photos__gt=0)
    busy = unfinished.exclude(state__in=Photo.FINAL_STATES).values("folder__session")
    walks = Q(status__in=(ScanSession.Status.QUEUED, ScanSession.Status.RUNNING))
    found = not_over.filter(walks | Q(pk__in=busy)).order_by("-pk")
    return states_of(found[:most])


def folders_in(folder: SessionFolder, *, after: int = 0) -> tuple[list[FolderRow], int]:
    """The folders right in it by name, from behind the row ``after``; with the row to go on from, or 0."""
    inside = SessionFolder.objects.filter(parent=folder).order_by("path")
    if after:
        last = inside.filter(pk=after).first()
        inside = inside.filter(path__gt=last.path) if last else inside
    rows = list(inside[: FOLDERS_A_PAGE + 1])
    shown = rows[:FOLDERS_A_PAGE]
    counts = _counts(shown)
    return [FolderRow(row, counts[row.pk]) for row in shown], shown[-1].pk if rows[FOLDERS_A_PAGE:] else 0


def _counts(folders: Sequence[SessionFolder]) -> dict[int, Counts]:
    by_folder: dict[int, dict[str, int]] = defaultdict(dict)
    kept = PhotoCount.objects.filter(folder__in=[folder.pk for folder in folders], photos__gt=0)
    for folder_id, state, photos in kept.values_list("folder_id", "state", "photos"):
        by_folder[folder_id or 0][state] = photos
    return {folder.pk: Counts(by_folder[folder.pk], folder.found, folder.taken) for folder in folders}


def pace_of_steps(session: ScanSession) -> tuple[list[StepPace], list[SessionStep]]:
    """What each step costs in this session, the slowest first; and its commonest failures. One query."""
    rows = list(SessionStep.objects.filter(session=session))
    done: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        entry = done[row.step]
        if row.status == StepRun.Status.DONE:
            entry[0] += row.runs
            entry[1] += row.milliseconds
        elif row.status == StepRun.Status.FAILED:
            entry[2] += row.runs
    total = sum(milliseconds for _, milliseconds, _ in done.values()) or 1
    paces = [
        StepPace(step, runs + failed, failed, time / runs if runs else None, round(100 * time / total))
        for step, (runs, time, failed) in done.items()
        if runs or failed
    ]
    failures = [row for row in rows if row.status == StepRun.Status.FAILED]
    return (
        sorted(paces, key=lambda pace: (-(pace.mean_milliseconds or 0), pace.step)),
        sorted(failures, key=lambda row: (-row.runs, row.step, row.reason))[:FAILURES_SHOWN],
    )
