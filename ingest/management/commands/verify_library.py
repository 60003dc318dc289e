"""``manage.py verify_library``: is everything there that should be, and as it should be?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingest.console import print_json
from ingest.verify import Verdict, verify


class Command(BaseCommand):
    """Compare ledger, rows, thumbnails and previews; on request the originals too. Changes nothing.

    Ends with status 1 when something is wrong. May run beside the workers.
    """

    help = "Check that ledger, results, thumbnails and previews agree. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument(
            "--quick",
            action="store_true",
            help="Only look whether thumbnails and previews exist.",
        )
        parser.add_argument(
            "--originals", action="store_true", help="Read every original too and compare its hash."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, then tell."""
        with tqdm(desc="Looking at files", unit=" files", disable=None) as bar:
            verdict = verify(
                decode=not options["quick"],
                originals=options["originals"],
                on_progress=lambda files: bar.update(files - bar.n),
            )
        if options["json"]:
            print_json(self, verdict.as_data())
        else:
            self._tell(verdict)
        if verdict.faults:
            raise CommandError(f"{len(verdict.faults)} kinds of faults were found.", returncode=1)

    def _tell(self, verdict: Verdict) -> None:
        for name, count in verdict.counts.items():
            self.stdout.write(f"{count:10,} {name.replace('_', ' ')}")
        for finding in verdict.findings:
            style = self.style.ERROR if finding.severity == "fault" else self.style.WARNING
            self.stdout.write(style(f"{finding.check}: {finding.count:,}. {finding.meaning}"))
            for example in finding.examples:
                self.stdout.write(f"    {example}")
            if finding.count > len(finding.examples):
                self.stdout.write(f"    … and {finding.count - len(finding.examples):,} more")
            self.stdout.write(f"  What to do: {finding.remedy}")
        if not verdict.findings:
            self.stdout.write("Everything is as it should be.")
