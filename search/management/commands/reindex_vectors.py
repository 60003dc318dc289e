"""``reindex_vectors``: make the HNSW indexes that large vector spaces need, drop those of retired ones."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from search.vector_indexes import THRESHOLD, reindex


class Command(BaseCommand):
    """Builds without locking (CONCURRENTLY), so everything goes on working. May be stopped and run again."""

    help = "Build the vector indexes of spaces with many photos; small ones are searched exactly, without."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument(
            "--threshold", type=int, default=THRESHOLD, help=f"photos from which on (default {THRESHOLD})"
        )
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        """Bring every space up to date."""
        reports = reindex(threshold=options["threshold"])
        if options["json"]:
            self.stdout.write(json.dumps([asdict(report) for report in reports]))
            return
        for report in reports:
            self.stdout.write(f"{report.space}: {report.rows} photos, {report.action} ({report.reason}).")
        if not reports:
            self.stdout.write("There is no space of picture vectors yet.")
