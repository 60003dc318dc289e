"""``reindex_categories``: apply changed tag mappings to photos that have tags already."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from search.remapping import apply_mappings


class Command(BaseCommand):
    """Runs in seconds: no picture is read."""

    help = "Apply today's tag mappings to all tagged photos."

    def add_arguments(self, parser: CommandParser) -> None:
        """Only the form of the answer."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Map again and say how much changed."""
        changed = apply_mappings()
        counts = {"mapped": changed.mapped, "cleared": changed.cleared}
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(
                f"{counts['mapped']} tags of photos moved, {counts['cleared']} left without a category."
            )
