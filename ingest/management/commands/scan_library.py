"""``manage.py scan_library``: find new, changed and vanished photos."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import clusters
from ingest.console import PRIORITIES, print_json, process_all, scan_all, session_as_dict, targets_for, tell
from ingest.models import ScanSession
from ingest.progress import summary
from ingest.session_console import SessionBars, follow
from ingest.tasks import wake_all
from photos_project.supervisor import stop_signals


class Command(BaseCommand):
    """Scan folders. Originals are only looked at: nothing in them is ever changed."""

    help = "Register folders as roots and look for new, changed and vanished photos in them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("folders", nargs="*", metavar="FOLDER", help="Default: all known folders.")
        parser.add_argument("--process", action="store_true", help="Also process everything, here and now.")
        parser.add_argument("--priority", choices=PRIORITIES, default="normal")
        parser.add_argument(
            "--accept-missing", action="store_true", help="Mark files as gone even when very many are."
        )
        parser.add_argument(
            "--watch-progress",
            action="store_true",
            help="Show bars until the workers (or --process) are done. Ctrl-C ends the watching only.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Scan, wake the workers, tell."""
        sessions = scan_all(
            targets_for(options["folders"]),
            priority=PRIORITIES[options["priority"]],
            accept_missing=options["accept_missing"],
        )
        if options["watch_progress"]:
            self._watch(sessions, process=options["process"])
        elif options["process"]:
            process_all()
        else:
            wake_all()
        if options["json"]:
            result: dict[str, Any] = {"scans": [session_as_dict(session) for session in sessions]}
            print_json(self, result | (summary() if options["process"] else {}))
        else:
            for session in sessions:
                tell(session, self.stdout.write)
        failed = [session for session in sessions if session.status == ScanSession.Status.FAILED]
        if failed:
            raise CommandError("; ".join(session.message for session in failed))

    def _watch(self, sessions: list[ScanSession], *, process: bool) -> None:
        with SessionBars(sessions) as bars:
            if process:
                process_all(on_progress=bars.show)
                return
            wake_all()
            if not clusters.alive().exists():
                raise CommandError(
                    "The photos wait, and no worker is running: start them with `manage.py supervise`, or "
                    "add --process."
                )
            with stop_signals() as should_stop:
                follow(bars, should_stop=should_stop)
