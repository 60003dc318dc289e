"""``manage.py library_status``: how the library stands."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingest.console import print_json
from ingest.progress import summary


class Command(BaseCommand):
    """Photos by state, engines with the reason why one is not live, steps by status."""

    help = "Say how the library stands: photos by state, engines, steps."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Tell."""
        status = summary()
        if options["json"]:
            print_json(self, status)
            return
        self._section("Photos", [f"{n:8} {state}" for state, n in status["photos"].items()])
        self._section(
            "Engines",
            [
                f"{engine['port']:10} {engine['engine']}{_where(engine['details'])}"
                if engine["live"]
                else f"{engine['port']:10} not live: {engine['reason']} {engine['remedy']}"
                for engine in status["engines"]
            ],
        )
        self._section("Warnings", status["warnings"])
        self._section("Workers", [cluster["sentence"] for cluster in status["workers"]])
        self._section("Vectors", [space["sentence"] for space in status["spaces"]])
        self._section("Memory", [line for report in status["memory"] for line in _memory(report)])
        self._section(
            "Steps",
            [
                f"{name:14} {row['done']:6} done {row['failed']:4} failed {row['skipped']:6} skipped "
                f"{row['pending']:6} to do {row['mean_milliseconds']:6} ms a photo"
                for name, row in status["steps"].items()
            ],
        )
        self._section("Failed", [f"{row['path']}: {row['reason']}" for row in status["failed"]])
        self._section("Left out", [f"{row['path']}: {row['reason']}" for row in status["skipped"]])

    def _section(self, title: str, lines: list[str]) -> None:
        if lines:
            self.stdout.write(self.style.MIGRATE_HEADING(title))
            for line in lines:
                self.stdout.write(f"  {line}")


def _where(details: dict[str, str]) -> str:
    return f" on {', '.join(details.values())}" if details else ""


def _memory(report: dict[str, Any]) -> list[str]:
    """The lines of one worker: the process, its engines, the cards of its machine."""
    lines = [f"{report['process_mib']:8,} MiB worker {report['worker']}"]
    for load in report["engines"]:
        on_card = f" and {load['gpu_mib']:,} MiB on the card" if load["gpu_mib"] else ""
        lines.append(
            f"{load['ram_mib']:8,} MiB{on_card} {load['engine']} {load['part']}".rstrip()
            + f"{_where(load['details'])}, loaded in {load['seconds']} s"
        )
    return lines + [
        f"{gpu['used_mib']:8,} of {gpu['total_mib']:,} MiB graphics card {gpu['name']}"
        for gpu in report["gpus"]
    ]
