"""Saved searches: whose they are, and who may use or change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Case, IntegerField, QuerySet, When
from django.http import Http404

from search.models import SavedSearch

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def saved_for(user: AbstractBaseUser | AnonymousUser) -> QuerySet[SavedSearch]:
    """What this user may open: their own, then what others share; by name."""
    visible = SavedSearch.objects.visible_to(user).select_related("owner")
    theirs = Case(When(owner=user.pk, then=0), default=1, output_field=IntegerField())
    return visible.order_by(theirs, *SavedSearch._meta.ordering or ())


def saved_or_404(user: AbstractBaseUser | AnonymousUser, pk: int, *, to_change: bool = False) -> SavedSearch:
    """The saved search if this user may open it, or with ``to_change`` only if it is theirs."""
    saved = SavedSearch.objects.visible_to(user).select_related("owner").filter(pk=pk).first()
    if saved is None or (to_change and saved.owner_id != user.pk):
        raise Http404
    return saved


def known_as(
    user: AbstractBaseUser | AnonymousUser, text: str, *, mode: str, sort: str, weaker: bool
) -> SavedSearch | None:
    """The saved search that this search is, one of the user's own first."""
    same = SavedSearch.objects.visible_to(user).filter(query=text, mode=mode, sort=sort, weaker=weaker)
    return min(same.select_related("owner"), key=lambda saved: saved.owner_id != user.pk, default=None)
