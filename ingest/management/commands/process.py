"""``manage.py process``: run the pipeline in the foreground until nothing is left."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingest.console import print_json, process_all
from ingest.progress import progress, summary
from ingest.repair import recount, reopen_without_renditions
from ingest.retrying import By, retry_photos
from library.models import Photo


class Command(BaseCommand):
    """Drain the ledger. Can run beside the worker clusters: leases keep them apart."""

    help = "Process all waiting photos in the foreground."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--retry-failed", action="store_true", help="Try again what failed before.")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="Make lost thumbnails and previews again, and correct kept counts.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Process, then say how things stand."""
        if options["retry_failed"]:
            unfinished = Photo.objects.filter(state__in=(Photo.State.FAILED, Photo.State.PARTIAL))
            retry_photos(photos=unfinished, by=By.command(), chosen={"scope": "process --retry-failed"})
        if options["repair"]:
            if wrong := recount():
                self.stderr.write(f"{wrong} kept counts were wrong.")
            self.stderr.write(f"{reopen_without_renditions()} photos had lost theirs.")
        process_all()
        if options["json"]:
            print_json(self, summary())
            return
        now = progress()
        self.stdout.write(
            f"{now.total} photos: {now.completed} completed, {now.partial} partly, {now.failed} failed, "
            f"{now.in_progress} left."
        )
