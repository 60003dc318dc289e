"""What somebody searched for: private, bounded, and theirs to clear or to switch off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import QuerySet

from search.models import HistoryEntry, SearchPreference

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

KEPT: Final = 200
"""How many searches of one person are kept; the oldest go."""


def recent(user: AbstractBaseUser | AnonymousUser, limit: int = KEPT) -> QuerySet[HistoryEntry]:
    """The searches of this user and of nobody else, the latest first."""
    if not user.is_authenticated:
        return HistoryEntry.objects.none()
    return HistoryEntry.objects.filter(user=user.pk)[:limit]


def keeps_history(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the searches of this user are to be remembered."""
    if not user.is_authenticated:
        return False
    return not SearchPreference.objects.filter(user=user.pk, keeps_history=False).exists()
