"""What the views of people share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def by_whom(request: HttpRequest) -> AbstractBaseUser:
    """Who does something. The middleware lets nobody in who is not logged in."""
    return cast("AbstractBaseUser", request.user)


def number(text: str) -> int:
    """A key as it was sent; 0, which is nobody's, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
