"""As whom a command looks at the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def seen_by(username: str) -> AbstractBaseUser:
    """The user of this name; without one somebody who may see everything. Raises CommandError."""
    users = get_user_model()
    if not username:
        return users(is_superuser=True)
    found = users.objects.filter(**{users.USERNAME_FIELD: username}, is_active=True).first()
    if found is None:
        raise CommandError(f"There is no active user “{username}”.")
    return found
