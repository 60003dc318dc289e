"""``manage.py recompute_suggestions``: decide anew who the open faces are."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

from people.actions.nightly import as_data, recompute


class Command(BaseCommand):
    """What somebody said is not touched. Harmless to repeat, and to interrupt: what is done stays done."""

    help = "Choose the faces people are recognised by, and name, ask about or leave all open faces anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="only people about whom something was said since then, and faces found since then: "
            "2026-11-28 or 2026-11-28T18:30",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Recompute with a progress bar, then say what came of it."""
        since = _moment(options["since"]) if options["since"] else None
        with tqdm(desc="Recognising", unit=" photos", disable=None) as bar:
            done = recompute(since=since, on_total=bar.reset, on_progress=bar.update)
        if options["json"]:
            self.stdout.write(json.dumps(as_data(done), indent=2))
            return
        faces = done.faces
        self.stdout.write(
            f"{done.photos} photos, {done.people} people: {faces.named} faces named, "
            f"{faces.asked} asked about, {faces.unknown} unknown, {faces.withdrawn} names taken back."
        )
        if done.calibrated:
            self.stdout.write("Thresholds were learnt from your answers.")


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        moment = day = None
    if moment is None and day is not None:
        moment = datetime.combine(day, time.min)
    if moment is None:
        raise CommandError(f"--since {text}: a date such as 2026-11-28 or 2026-11-28T18:30 is needed.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
