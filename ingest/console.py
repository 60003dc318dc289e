"""What the commands share: options, progress bars on stderr, scans told to a person."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ingest.foreground import drain
from ingest.models import ScanSession
from ingest.progress import progress
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
    targets = configured + [ScanTarget(root) for root in Root.objects.exclude(pk__in=known)]
    if not targets:
        raise CommandError("Nothing to scan: name a folder, or set PHOTOS_DIR.")
    return targets


def scan_all(
    targets: Sequence[ScanTarget], *, meanwhile: Callable[[], object] = bool, **options: Any
) -> list[ScanSession]:
    """Scan the targets with a counter on stderr; ``meanwhile`` is called now and then."""
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


@contextmanager
def progress_bar() -> Iterator[tqdm[Any]]:
    """A bar over all photos that are not finished."""
    with tqdm(desc="Understanding photos", total=progress().in_progress, unit=" photos", disable=None) as bar:
        yield bar


def process_all() -> bool:
    """Drain both lanes with a progress bar; say whether it came to its end (and was not interrupted)."""
    with stop_signals() as should_stop, progress_bar() as bar:

        def advance(_finished: int) -> None:
            now = progress()
            bar.total = max(bar.total or 0, now.in_progress)
            bar.n = bar.total - now.in_progress
            bar.refresh(nolock=True)

        drain(should_stop=should_stop, on_finished=advance)
        interrupted = should_stop()
    if interrupted:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)  # noqa: T201
    return not interrupted
