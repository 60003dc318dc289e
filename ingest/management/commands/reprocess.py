"""``manage.py reprocess``: run steps of a selection of photos again, also where they went well."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

from ingest import selection, tasks
from ingest.console import print_json
from ingest.models import StepRun
from ingest.retrying import By, ReprocessRefused, check_steps, reprocess, reprocessable


class Command(BaseCommand):
    """Opens the photos and wakes the workers; the work itself is theirs, or that of ``manage.py process``."""

    help = (
        "Run steps of a selection of photos again. Terms of --where stand beside each other; -term negates."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """With the fields of the selection at the end of the help."""
        fields = "\n".join(f"  {name:8} {meaning}" for name, meaning in selection.FIELDS.items())
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = f"fields of --where:\n{fields}"
        parser.formatter_class = _PlainEpilog
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument(
            "--step",
            choices=StepRun.Step.values,
            action="append",
            required=True,
            help="Run this step again; may be given more than once.",
        )
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--where", metavar="SELECTION", help='Such as "state:partial after:2019 tag:dog".')
        which.add_argument("--all", action="store_true", help="All photos.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, and unless it is a dry run, open."""
        where, steps = options["where"] or "", list(dict.fromkeys(options["step"]))
        try:
            chosen = selection.parse(where)
            if not chosen.terms and not options["all"]:
                raise CommandError("--where is empty: name a selection, or say --all.")
            photos = selection.photos(chosen)
            check_steps(steps)
            if options["dry_run"]:
                self._count(photos, steps, options)
                return
            opened = reprocess(photos=photos, steps=steps, by=By.command(), chosen={"where": where or "all"})
        except (selection.SelectionError, ReprocessRefused) as error:
            raise CommandError(str(error)) from error
        if opened.photos:
            tasks.wake_all()
        if options["json"]:
            print_json(self, asdict(opened))
        else:
            self.stdout.write(opened.sentence)

    def _count(self, photos: Any, steps: list[str], options: dict[str, Any]) -> None:
        selected, possible = photos.count(), reprocessable(photos, steps).count()
        if options["json"]:
            print_json(self, {"selected": selected, "photos": possible})
            return
        left = f"; {selected - possible:,} cannot be looked at" if selected > possible else ""
        self.stdout.write(f"{possible:,} photos would be run again with {', '.join(steps)}{left}.")


class _PlainEpilog(DjangoHelpFormatter):
    """Keeps the lines of the epilog as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)
