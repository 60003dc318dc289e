"""``reindex_search``: write the documents of all photos anew (those that are right stay untouched)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from library.models import Photo
from search import library_words
from search.indexing import BATCH, reindex_all


class Command(BaseCommand):
    """Prints how many photos were seen and how many documents changed. May be stopped and run again."""

    help = "Rebuild the search documents of all photos from what is known about them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument("--batch", type=int, default=BATCH, help=f"photos a statement (default {BATCH})")
        parser.add_argument("--json", action="store_true", help="print one object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk through the library."""
        seen = changed = 0
        with tqdm(total=Photo.objects.count(), unit="photo", disable=options["json"], leave=False) as bar:
            for batch_seen, batch_changed in reindex_all(max(1, options["batch"])):
                seen, changed = seen + batch_seen, changed + batch_changed
                bar.update(batch_seen)
        library_words.count()
        if options["json"]:
            self.stdout.write(json.dumps({"photos": seen, "changed": changed}))
        else:
            self.stdout.write(f"{seen} photos, {changed} documents changed.")
