"""What the views of people share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

from people.access import faces_for
from people.refusals import BeforeBirth, PeopleRefused

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def by_whom(request: HttpRequest) -> AbstractBaseUser:
    """Who does something. The middleware lets nobody in who is not logged in."""
    return cast("AbstractBaseUser", request.user)


def number(text: str) -> int:
    """A key as it was sent; 0, which is nobody's, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def why_not(refused: PeopleRefused, request: HttpRequest) -> str:
    """Why something was refused, without the date of a photo that this user may not see."""
    cause = refused if isinstance(refused, BeforeBirth) else refused.__cause__
    if isinstance(cause, BeforeBirth) and not faces_for(request.user).filter(pk=cause.face_id).exists():
        return f"{cause.person.name} is in photos from before that day. Ask an owner of the library."
    return str(refused)
