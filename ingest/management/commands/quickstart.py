"""``manage.py quickstart <folder>``: from a folder of photos to a searchable library."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.console import (
    print_json,
    process_all,
    progress_display,
    scan_all,
    session_as_dict,
    targets_for,
    tell,
)
from ingest.fetching import BackgroundFetch, wanted_models
from ingest.progress import Progress, progress, summary
from ingest.roots import RootRefused, ScanTarget, check_folder
from ingest.serving import serving
from ingest.setup import Owner, prepare
from ingest.supervision import Watch
from ingest.tasks import wake_all
from photos_project.supervisor import stop_signals

LOOK_SECONDS = 30.0


class Command(BaseCommand):
    """Set up, scan, process; and serve until Ctrl-C, unless told otherwise.

    1. Tables, categories, schedules and the owner's account are made where they are missing.
    2. The web server and both worker clusters are started (not with ``--no-serve``).
    3. The folders are scanned; photos appear while the rest is still being looked at.
    4. Progress is shown until everything is processed. Interrupted, the next run goes on where this one was.
    """

    help = "Set up, scan and process a folder of photos, and serve the library until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("folders", nargs="*", metavar="FOLDER", help="Default: all known folders.")
        parser.add_argument("--no-serve", action="store_true", help="Process everything here, then end.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object (with --no-serve).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        for folder in options["folders"]:
            self._check(folder)
        owner = prepare()
        # At once: whatever fails after this, the password would not be shown a second time.
        self._show_password(owner, sys.stderr.write if options["no_serve"] else self._say)
        if options["no_serve"]:
            self._without_serving(options)
        else:
            self._serve(owner, options["folders"])

    def _check(self, folder: str) -> None:
        """Before anything is made: a folder that cannot be taken ends the command at once."""
        try:
            check_folder(folder)
        except RootRefused as error:
            raise CommandError(str(error)) from error

    def _without_serving(self, options: dict[str, Any]) -> None:
        sessions = scan_all(targets_for(options["folders"]))
        process_all()
        if options["json"]:
            print_json(self, {"scans": [session_as_dict(session) for session in sessions], **summary()})
            return
        for session in sessions:
            tell(session, self._say)
        self._tell_end()

    def _serve(self, owner: Owner, folders: list[str]) -> None:
        targets = targets_for(folders)
        with stop_signals() as stopping, serving() as watch:
            self._say(f"Heirloom: {self._address()}   log in as {owner.username!r}")
            fetch = BackgroundFetch(self._say)
            fetch.start(wanted_models() if settings.DOWNLOAD_MODELS else [])

            self._scan(targets, watch, fetch, stopping)
            watch.with_database(wake_all)
            self._watch(watch, fetch, stopping)
            fetch.stop()
            self._say("\nStopping; the photos in hand are finished first …")
        self._say("Stopped. Run the same command again to go on.")

    def _scan(
        self, targets: list[ScanTarget], watch: Watch, fetch: BackgroundFetch, stopping: Callable[[], bool]
    ) -> None:
        """Scan the folders; once more when the database went away in between, as a scan keeps what it did."""

        def meanwhile() -> None:
            watch.look()
            fetch.look()

        def scan() -> None:
            for session in scan_all(targets, meanwhile=meanwhile, should_stop=stopping):
                tell(session, self._say)

        while not stopping() and not watch.with_database(scan):
            meanwhile()
            time.sleep(1)

    def _watch(self, watch: Watch, fetch: BackgroundFetch, stopping: Callable[[], bool]) -> None:
        """Show progress until everything is processed, then wait for Ctrl-C."""
        with progress_display() as display:
            while not stopping():
                watch.look()
                now = self._look(watch, fetch)
                if now is not None:
                    if not now.running and not fetch.words:
                        break
                    display.show(now, also=fetch.words)
                time.sleep(1)
        if not stopping():
            watch.with_database(self._tell_end)
            self._say(f"Open {self._address()} - Ctrl-C stops everything.")
        look_at = time.monotonic()
        while not stopping():
            watch.look()
            if time.monotonic() >= look_at:
                watch.with_database(fetch.look)
                look_at = time.monotonic() + LOOK_SECONDS
            time.sleep(0.5)

    def _look(self, watch: Watch, fetch: BackgroundFetch) -> Progress | None:
        """None while the database is away; the next connection starts the embedded server again."""
        found: list[Progress] = []

        def look() -> None:
            fetch.look()
            found.append(progress())

        watch.with_database(look)
        return found[0] if found else None

    def _say(self, text: str) -> None:
        """At once, also into a pipe or a log file: the password and the address are waited for."""
        self.stdout.write(text)
        self.stdout.flush()

    def _show_password(self, owner: Owner, write: Callable[[str], object]) -> None:
        if owner.password:
            write(f"Account {owner.username!r}, password (shown only this once): {owner.password}\n")

    def _tell_end(self) -> None:
        now = progress()
        self._say(
            f"{now.total} photos: {now.completed} completed, {now.partial} partly, {now.failed} failed "
            "(see the status page, or manage.py library_status)."
        )

    def _address(self) -> str:
        host = "localhost" if settings.HOST in {"0.0.0.0", "::", "127.0.0.1"} else settings.HOST  # noqa: S104
        return f"http://{host}:{settings.PORT}/"
