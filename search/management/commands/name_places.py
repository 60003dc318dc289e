"""``name_places``: give photos with a position the name of the place."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from library.actions.places import set_places
from library.models import Photo
from search.indexing import BATCH, index_photos
from vision.imaging.gazetteer import is_available, names_at


class Command(BaseCommand):
    """Reads no picture. New photos get their names when they are read; names somebody wrote stay."""

    help = "Name the places of photos that have a position and no name yet."

    def add_arguments(self, parser: CommandParser) -> None:
        """Only the form of the answer."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Batch by batch; a batch that was done stays done."""
        if not is_available():
            raise CommandError("The package reverse-geocode is missing: run `make install` again.")
        counts = {"photos": 0, "named": 0}
        unnamed = Photo.objects.filter(latitude__isnull=False, longitude__isnull=False, place__isnull=True)
        last = 0
        while rows := list(
            unnamed.filter(pk__gt=last).order_by("pk").values_list("pk", "latitude", "longitude")[:BATCH]
        ):
            last = rows[-1][0]
            counts["photos"] += len(rows)
            names = {
                pk: names_at(north, east)
                for pk, north, east in rows
                if north is not None and east is not None
            }
            counts["named"] += set_places(names=names)
            index_photos([pk for pk, _, _ in rows])
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write("{named} of {photos} photos got the name of their place.".format(**counts))
