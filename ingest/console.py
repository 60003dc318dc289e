"""What the commands share: options, progress bars on stderr, scans told to a person."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ingest import clusters
from ingest.foreground import drain
from ingest.models import ScanSession
from ingest.progress import Progress, progress
from ingest.roots import RootRefused, ScanTarget, register_folder, scan
from library.models import Photo, Root
from photos_project.supervisor import stop_signals

PRIORITIES = {priority.name.lower(): priority for priority in Photo.Priority}


def print_json(command: BaseCommand, value: Any) -> None:
    """One JSON object on stdout."""
    command.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def targets_for(folders: Sequence[str]) -> list[ScanTarget]:
    """Register the folders; without any, those of PHOTOS_DIR and every known root."""
    try:
        if folders:
            return [register_folder(folder) for folder in folders]
        configured = [register_folder(str(folder)) for folder in settings.PHOTOS_DIR]
    except RootRefused as error:
        raise CommandError(str(error)) from error
    known = {target.root.pk for target in configured}
    targets = configured + [
        ScanTarget(root) for root in Root.objects.filter(watch=True).exclude(pk__in=known)
    ]
    if not targets:
        raise CommandError("Nothing to scan: name a folder, or set PHOTOS_DIR.")
    return targets


def scan_all(
    targets: Sequence[ScanTarget], *, meanwhile: Callable[[], object] = bool, **options: Any
) -> list[ScanSession]:
    """Scan the targets with a counter on stderr; ``meanwhile`` is called now and then.

    ``options`` go to ``ingest.roots.scan``.
    """
    sessions = []
    for target in targets:
        with tqdm(desc=f"Looking through {target.root.name}", unit=" files", disable=None) as bar:

            def show(found: int, bar: tqdm[Any] = bar) -> None:
                bar.update(found - bar.n)
                meanwhile()

            sessions.append(scan(target, progress=show, **options))
    return sessions


def tell(session: ScanSession, write: Callable[[str], object]) -> None:
    """What a scan found, in words."""
    write(
        f"{session.root.display_path}: {session.found} pictures, {session.new} new, "
        f"{session.changed} changed, {session.vanished} gone, {session.skipped} left out."
    )
    for reason, count in sorted(session.skip_reasons.items()):
        write(f"  left out {count}: {reason}")
    if session.message:
        write(f"  {session.message}")


def session_as_dict(session: ScanSession) -> dict[str, Any]:
    """A scan as plain data."""
    numbers = ("found", "new", "changed", "returned", "vanished", "unchanged", "skipped")
    return {
        "root": session.root.display_path,
        "subfolder": bytes(session.subfolder).decode("utf-8", "replace"),
        "status": session.status,
        "message": session.message,
        **{name: getattr(session, name) for name in numbers},
        "skips": session.skips,
    }


LINE_SECONDS = 15.0


class ProgressDisplay:
    """How far the library is, on stderr: a bar at a terminal, a line now and then in a log file."""

    def __init__(self, bar: tqdm[Any] | None) -> None:
        self._bar = bar
        self._line_at = 0.0

    def show(self, now: Progress, *, also: str = "") -> None:
        """Bring the display up to date; ``also`` says what else is going on."""
        words = f"{now.finished} of {now.total} photos" + (f", {also}" if also else "")
        if self._bar is not None:
            self._bar.n = now.percent
            self._bar.set_postfix_str(words, refresh=True)
        elif time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + LINE_SECONDS
            print(f"Understanding photos: {now.percent} %, {words}", file=sys.stderr)  # noqa: T201


@contextmanager
def progress_display() -> Iterator[ProgressDisplay]:
    """A display for the time of a block."""
    if not sys.stderr.isatty():
        yield ProgressDisplay(None)
        return
    form = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}{postfix}"
    with quiet_logs(), tqdm(desc="Understanding photos", total=100, bar_format=form) as bar:
        yield ProgressDisplay(bar)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Logs of single photos would tear the bars of a terminal apart: errors only for the time of a block."""
    before = {name: logging.getLogger(name).level for name in ("", "django-q")}
    if sys.stderr.isatty():
        for name in before:
            logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def process_all(on_progress: Callable[[], object] | None = None) -> None:
    """Drain both lanes with a progress bar, or with another display that ``on_progress`` brings up to date.

    Interrupted, it ends the command with the status of Ctrl-C.
    """
    if apart := clusters.problem():
        raise CommandError(apart)
    with stop_signals() as should_stop, ExitStack() as stack:
        if on_progress is None:
            display = stack.enter_context(progress_display())
            drain(should_stop=should_stop, on_progress=lambda: display.show(progress()))
        else:
            stack.enter_context(quiet_logs())
            drain(should_stop=should_stop, on_progress=on_progress)
        interrupted = should_stop()
    if interrupted:
        raise CommandError("Stopped. Run the same command again to go on.", returncode=130)
