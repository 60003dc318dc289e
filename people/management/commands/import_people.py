"""``import_people --sqlite FILE``: take people and labels over from another program's database."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from people.actions.carry import carry_in
from people.management.commands.people import tell_entered
from people.sqlite_people import read_people
from people.sqlite_source import open_read_only
from people.transfer import NotReadable


class Command(BaseCommand):
    """One transaction: all of it or nothing. The database of the other program is only read."""

    help = "Import people from a SQLite database with the tables photos, faces, people and face_labels."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--sqlite", required=True, metavar="FILE", help="the database")
        parser.add_argument("--dry-run", action="store_true", help="only say what would come of it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, enter, tell."""
        path = Path(options["sqlite"])
        try:
            with closing(open_read_only(path)) as connection:
                reading = read_people(connection)
        except NotReadable as error:
            raise CommandError(str(error)) from error
        with tqdm(desc="Faces", total=len(reading.carried.faces), disable=None, file=sys.stderr) as bar:
            entered = carry_in(
                carried=reading.carried,
                source=path.name,
                dry_run=options["dry_run"],
                on_progress=lambda done: bar.update(done - bar.n),
            )
        entered.left_out += reading.left_out
        told = entered.as_data() | {"photos": reading.photos, "dry_run": options["dry_run"]}
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=2, ensure_ascii=False))
            return
        tell_entered(self, told)
        if options["dry_run"]:
            self.stdout.write("Nothing was written: this was a dry run.")
