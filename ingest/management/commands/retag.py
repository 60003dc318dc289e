"""``manage.py retag --from-embeddings``: new words for all photos, without touching a picture."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingest.console import print_json
from ingest.retagging import RetagRefused, retag, waiting
from photos_project.supervisor import stop_signals


class Command(BaseCommand):
    """May run beside the workers and may be stopped: run again, it goes on."""

    help = "Tag all photos anew whose tags were made for other words, from their stored vectors."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument(
            "--from-embeddings",
            action="store_true",
            required=True,
            help="score the words with the stored vectors (the only way; `process` looks at pictures)",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tag, then say how many were tagged and which were left."""
        try:
            with stop_signals() as should_stop, tqdm(total=waiting(), unit="photo", disable=None) as bar:
                done = retag(should_stop=should_stop, on_progress=bar.update)
                interrupted = should_stop()
        except RetagRefused as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(self, asdict(done))
        else:
            self.stdout.write(
                f"{done.retagged} photos tagged by {done.engine}; {done.without_embedding} without a vector "
                f"were left, {done.left} with other tags than today's."
            )
        if interrupted:
            raise CommandError("Stopped. Run the same command again to go on.", returncode=130)
