"""``find_duplicates``: compare all stored hashes again and regroup nearly identical photos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from library.duplicates import find_pairs, hashed_photo_ids, regroup

CHUNK = 1000


class Command(BaseCommand):
    """For after a threshold changed; new photos are compared by the pipeline."""

    help = "Find pairs of the same picture among all photos and choose who stands in front."

    def add_arguments(self, parser: CommandParser) -> None:
        """Only the form of the answer."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Chunk by chunk; a chunk that was done stays done."""
        counts = {"photos": 0, "written": 0, "removed": 0, "regrouped": 0}
        for chunk in _chunks(hashed_photo_ids().iterator()):
            changes = find_pairs(photo_ids=chunk)
            counts["photos"] += len(chunk)
            counts["written"] += changes.written
            counts["removed"] += changes.removed
        for chunk in _chunks(hashed_photo_ids().iterator()):
            counts["regrouped"] += regroup(photo_ids=chunk)
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(
                "{photos} photos compared: {written} pairs written, {removed} removed, "
                "{regrouped} photos changed their place.".format(**counts)
            )


def _chunks(ids: Iterator[int]) -> Iterator[list[int]]:
    while chunk := list(islice(ids, CHUNK)):
        yield chunk
