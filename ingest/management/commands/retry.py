"""``manage.py retry``: run again what failed, by step and reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import tasks
from ingest.console import print_json
from ingest.failures import FailureClass, chosen_runs, classes, failed_runs, set_aside
from ingest.models import StepRun
from ingest.retrying import By, Opened, retry_photos, retry_runs


class Command(BaseCommand):
    """Opens the photos and wakes the workers; the work itself is theirs, or that of ``manage.py process``."""

    help = "Run again what failed: a step, a reason, a photo, everything; or photos that were set aside."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--step", choices=StepRun.Step.values, help="Only failures of this step.")
        parser.add_argument(
            "--error", metavar="TEXT", help="Only these: a part of the message, or all of it."
        )
        parser.add_argument("--photo", type=int, metavar="ID", help="Only this photo.")
        parser.add_argument("--all", action="store_true", help="Everything that failed.")
        parser.add_argument(
            "--set-aside", action="store_true", help="Photos that were set aside because workers died."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be run again.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Choose, count, open."""
        chosen = {name: options[name] for name in ("step", "error", "photo") if options[name] is not None}
        if options["set_aside"]:
            if options["step"] or options["error"] or options["all"]:
                raise CommandError("--set-aside goes with --photo and --dry-run only.")
            self._set_aside(chosen, options)
            return
        if not chosen and not options["all"]:
            raise CommandError("Say what: --step, --error, --photo, --all or --set-aside.")
        if chosen and options["all"]:
            raise CommandError("--all goes with --dry-run only.")
        runs = failed_runs()
        if chosen:
            runs = chosen_runs(
                step=options["step"] or "", text=options["error"] or "", photo=options["photo"]
            )
        found = classes(runs=runs)
        if options["dry_run"]:
            self._tell_classes(found, runs.count(), options)
            return
        self._tell(retry_runs(runs=runs, by=By.command(), chosen=chosen or {"scope": "all"}), options)

    def _set_aside(self, chosen: dict[str, Any], options: dict[str, Any]) -> None:
        photos = set_aside().order_by("pk")
        if options["photo"] is not None:
            photos = photos.filter(pk=options["photo"])
        if not options["dry_run"]:
            self._tell(retry_photos(photos=photos, by=By.command(), chosen=chosen), options)
            return
        rows = [{"photo": photo.pk, "reason": photo.error_message} for photo in photos]
        if options["json"]:
            print_json(self, {"photos": len(rows), "set_aside": rows})
            return
        for row in rows:
            self.stdout.write(f"photo {row['photo']}: {row['reason']}")
        self.stdout.write(f"{len(rows):,} would be run again.")

    def _tell_classes(self, found: list[FailureClass], count: int, options: dict[str, Any]) -> None:
        if options["json"]:
            print_json(self, {"entries": count, "classes": [asdict(row) for row in found]})
            return
        for row in found:
            self.stdout.write(f"{row.photos:8,}  {row.step:14} {row.reason}")
        self.stdout.write(f"{count:,} would be run again.")

    def _tell(self, opened: Opened, options: dict[str, Any]) -> None:
        if opened.photos:
            tasks.wake_all()
        if options["json"]:
            print_json(self, asdict(opened))
        else:
            self.stdout.write(opened.sentence)
