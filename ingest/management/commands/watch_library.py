"""``manage.py watch_library``: notice changes in the folders of originals within seconds."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingest.console import session_as_dict, tell
from ingest.models import ScanSession
from ingest.watching import LibraryWatch
from photos_project.supervisor import stop_signals


class Command(BaseCommand):
    """Watch until Ctrl-C or SIGTERM. Originals are only looked at: nothing in them is ever changed."""

    help = "Watch all known folders, and take in what is new, changed, moved or gone as it happens."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object a line for each look.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Watch, and tell what was found."""

        def say(session: ScanSession) -> None:
            if options["json"]:
                self.stdout.write(json.dumps(session_as_dict(session), default=str, ensure_ascii=False))
            else:
                tell(session, self.stdout.write)
            self.stdout.flush()

        with stop_signals() as stopping:
            LibraryWatch(say).run(stopping)
