"""Make an empty installation ready: tables, categories, schedules, the owner's account."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from ingest.tasks import ensure_schedules
from library.actions.seed import seed_categories


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner's account. ``password`` is set only when it was made up just now: it is shown once."""

    username: str
    password: str | None = None


def prepare() -> Owner:
    """Migrate, seed, schedule, and make the owner's account if there is none. Safe to repeat."""
    call_command("migrate", interactive=False, verbosity=0)
    seed_categories()
    ensure_schedules()
    return ensure_owner()


def ensure_owner() -> Owner:
    """The first superuser; made with OWNER_USERNAME and OWNER_PASSWORD, or with a new password."""
    users = get_user_model().objects
    existing = users.filter(is_superuser=True).order_by("pk").first()
    if existing is not None:
        return Owner(existing.get_username())
    if users.filter(username=settings.OWNER_USERNAME).exists():
        raise CommandError(
            f"OWNER_USERNAME={settings.OWNER_USERNAME!r} is the account of somebody who is not an owner. "
            "Choose another OWNER_USERNAME, or make that account a superuser in /admin."
        )
    password = settings.OWNER_PASSWORD or secrets.token_urlsafe(12)
    users.create_superuser(username=settings.OWNER_USERNAME, password=password)
    return Owner(settings.OWNER_USERNAME, None if settings.OWNER_PASSWORD else password)
