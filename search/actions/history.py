"""Write down what was searched for, and forget it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from search.history import KEPT
from search.models import QUERY_LENGTH, HistoryEntry, SearchPreference
from search.query import SearchQuery, parse

REFINING: Final = timedelta(minutes=10)
"""A search with the same words and other filters within this time takes the place of the one before."""


@transaction.atomic
def remember(*, user_id: int, query: SearchQuery) -> None:
    """Put a search on top of the history, unless this user keeps none. Refining one does not fill it up."""
    text = query.as_typed
    if not text or len(text) > QUERY_LENGTH:
        return
    if SearchPreference.objects.filter(user=user_id, keeps_history=False).exists():
        return
    now = timezone.now()
    latest = HistoryEntry.objects.filter(user=user_id).first()
    if latest is not None and latest.query != text and _refines(query, latest, now):
        latest.delete()
    HistoryEntry.objects.bulk_create(
        [HistoryEntry(user_id=user_id, query=text, at=now)],
        update_conflicts=True,
        unique_fields=["user", "query"],
        update_fields=["at"],
    )
    mine = HistoryEntry.objects.filter(user=user_id)
    mine.filter(pk__in=mine.values("pk")[KEPT : KEPT + 100]).delete()


def _refines(query: SearchQuery, latest: HistoryEntry, now: datetime) -> bool:
    words = query.description
    return bool(words) and now - latest.at < REFINING and parse(latest.query).description == words


def forget(*, user_id: int, entry_id: int) -> bool:
    """Forget one search of this user; whether there was one."""
    deleted, _ = HistoryEntry.objects.filter(user=user_id, pk=entry_id).delete()
    return deleted > 0


def clear(*, user_id: int) -> int:
    """Forget all searches of this user. Returns how many."""
    deleted, _ = HistoryEntry.objects.filter(user=user_id).delete()
    return deleted


@transaction.atomic
def switch(*, user_id: int, keep: bool) -> None:
    """Keep the history of this user from now on, or none: then what was kept is forgotten, too."""
    SearchPreference.objects.update_or_create(user_id=user_id, defaults={"keeps_history": keep})
    if not keep:
        clear(user_id=user_id)
