"""``manage.py setup_library``: tables, categories, schedules and the owner's account."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ingest.setup import prepare


class Command(BaseCommand):
    """Make an installation ready. Safe to repeat; changes nothing that is there."""

    help = "Create or update the tables, the first categories and the owner's account. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, and show a new password once."""
        owner = prepare()
        self.stdout.write(f"Ready. The owner's account is {owner.username!r}.")
        if owner.password:
            self.stdout.write(f"Password (shown only now): {owner.password}")
