"""Give a photo a heart, or take it back."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from library.models import Favourite


def set_favourite(*, photo_id: int, user_id: int, on: bool) -> bool:
    """Say whether anything changed. Doing the same again changes nothing."""
    if on:
        _, made = Favourite.objects.get_or_create(photo_id=photo_id, user_id=user_id)
        return made
    deleted, _ = Favourite.objects.filter(photo_id=photo_id, user_id=user_id).delete()
    return deleted > 0


@transaction.atomic
def add_favourites(*, photo_ids: Collection[int], user_id: int) -> int:
    """Give all these photos a heart. Returns how many had none."""
    mine = Favourite.objects.filter(user=user_id)
    known = set(mine.filter(photo__in=photo_ids).values_list("photo", flat=True))
    new = [Favourite(photo_id=pk, user_id=user_id) for pk in photo_ids if pk not in known]
    Favourite.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)
