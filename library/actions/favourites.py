"""Give a photo a heart, or take it back."""

from __future__ import annotations

from library.models import Favourite


def set_favourite(*, photo_id: int, user_id: int, on: bool) -> bool:
    """Say whether anything changed. Doing the same again changes nothing."""
    if on:
        _, made = Favourite.objects.get_or_create(photo_id=photo_id, user_id=user_id)
        return made
    deleted, _ = Favourite.objects.filter(photo_id=photo_id, user_id=user_id).delete()
    return deleted > 0
