"""Sessions followed at a terminal: a bar for each, and one for each of its folders under way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tqdm import tqdm

from ingest.models import ScanSession
from ingest.session_progress import Counts, SessionState, folders_in, shown, states_of

FOLDERS_SHOWN = 8
LOOK_SECONDS = 0.5
LINE_SECONDS = 15.0
_FORM = "{desc} {percentage:3.0f} %|{bar:24}| {elapsed}{postfix}"


class SessionBars:
    """The bars of some sessions on stderr; in a log file a line now and then. To be used as a context."""

    def __init__(self, sessions: Sequence[ScanSession]) -> None:
        self._ids = [session.pk for session in sessions]
        self._bars: list[tqdm[Any]] = []
        self._folders: set[int] = set()
        self._shown_at = 0.0
        self._line_at = 0.0

    def __enter__(self) -> SessionBars:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.show(now=True)
        for bar in self._bars:
            bar.close()

    def show(self, *, now: bool = False) -> list[SessionState]:
        """Bring the bars up to date, at most twice a second unless ``now``; how the sessions stand."""
        if not now and time.monotonic() - self._shown_at < LOOK_SECONDS:
            return []
        self._shown_at = time.monotonic()
        states = states_of(shown().filter(pk__in=self._ids).order_by("pk"))
        if sys.stderr.isatty():
            self._draw([line for state in states for line in self._lines(state)])
        elif now or time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_SECONDS
            for state in states:
                print(f"{state.title}: {state.counts.percent} %, {_words(state)}", file=sys.stderr)  # noqa: T201
        return states

    def _lines(self, state: SessionState) -> list[tuple[str, int, str]]:
        """The session, and its folders under way; those that were shown stay while there is room."""
        lines = [(state.title, state.counts.percent if state.counts.photos else 0, _words(state))]
        rows = folders_in(state.top)[0] if state.top is not None else []
        busy = [row for row in rows if row.counts.left and row.counts.percent][:FOLDERS_SHOWN]
        self._folders.update(row.folder.pk for row in busy)
        kept = [row for row in rows if row.folder.pk in self._folders]
        shown = kept if len(kept) <= FOLDERS_SHOWN else busy
        return lines + [(f"  {row.folder.name}", row.counts.percent, _numbers(row.counts)) for row in shown]

    def _draw(self, lines: list[tuple[str, int, str]]) -> None:
        while len(self._bars) < len(lines):
            position = len(self._bars)
            self._bars.append(tqdm(total=100, position=position, leave=True, bar_format=_FORM))
        while len(self._bars) > len(lines):
            bar = self._bars.pop()
            bar.leave = False
            bar.close()
        for bar, (title, percent, words) in zip(self._bars, lines, strict=True):
            bar.n = percent
            bar.set_description_str(f"{_short(title):32}", refresh=False)
            bar.set_postfix_str(words, refresh=True)


def follow(bars: SessionBars, *, should_stop: Callable[[], bool]) -> None:
    """Show until all is done, cancelled or paused, or ``should_stop`` says so."""
    while not should_stop():
        states = bars.show(now=True)
        if not any(state.moving for state in states):
            return
        time.sleep(LOOK_SECONDS)


def _words(state: SessionState) -> str:
    words = [state.phase, _numbers(state.counts)]
    if state.counts.left and state.counts.doing:
        step, photos = max(state.counts.doing, key=lambda found: found[1])
        words.append(f"{photos:,} {step}")
    if state.per_second and state.counts.left:
        words.append(f"{state.per_second:.1f}/s")
    if state.seconds_left is not None:
        words.append(f"{state.seconds_left} s left")
    return ", ".join(words)


def _numbers(counts: Counts) -> str:
    return f"{counts.found:,} found, {counts.done:,} done, {counts.failed:,} failed"


def _short(title: str) -> str:
    return title if len(title) <= 32 else f"…{title[-31:]}"
