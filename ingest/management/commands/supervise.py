"""``manage.py supervise``: the worker clusters of this machine, watched and kept alive, without the web."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, connection

from ingest.serving import working
from ingest.states import LANES
from ingest.tasks import wake_all
from photos_project.logging import get_logger
from photos_project.supervisor import stop_signals

log = get_logger(__name__)


class Command(BaseCommand):
    """For containers, and for further machines. Ends at SIGTERM or Ctrl-C, after the batches in hand."""

    help = "Run the workers of one lane or of both, watched by their heartbeat, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--lane", choices=LANES, help="Default: both.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        lanes = (options["lane"],) if options["lane"] else LANES
        with stop_signals() as stopping:
            if not _database_answers(stopping):
                return
            with working(lanes) as watch:
                watch.with_database(lambda: wake_all(lanes))
                while not stopping():
                    watch.look()
                    time.sleep(0.5)


def _database_answers(stopping: Callable[[], bool]) -> bool:
    """Wait for it; False when stopped before."""
    told = False
    while not stopping():
        try:
            connection.ensure_connection()
        except (OperationalError, InterfaceError) as error:
            if not told:
                log.warning("database.away", error=str(error).strip())
            told = True
            time.sleep(1)
        else:
            return True
    return False
