"""Photos that were ticked: which they are, and hearts for all of them."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from library.access import photos_for
from library.actions.favourites import add_favourites
from photos_project.http import back_to

MOST_AT_ONCE: Final = 1000
"""How many photos one form may name; more are not chosen by hand."""


def chosen_photos(request: HttpRequest) -> list[int]:
    """The photos ticked in a form (``photo``, several), as far as this user may see them."""
    typed = [text for text in request.POST.getlist("photo") if text.isascii() and text.isdigit()]
    wanted = [int(text) for text in typed if len(text) < 19][:MOST_AT_ONCE]
    return list(photos_for(request.user).filter(pk__in=wanted).order_by("pk").values_list("pk", flat=True))


@require_POST
def favourites(request: HttpRequest) -> HttpResponse:
    """Give all ticked photos a heart."""
    photo_ids = chosen_photos(request)
    changed = add_favourites(photo_ids=photo_ids, user_id=int(request.user.pk or 0))
    if not photo_ids:
        messages.error(request, "No photo was chosen. Tick the photos you like best.")
    elif changed:
        messages.success(request, f"{changed} photo{'' if changed == 1 else 's'} more among your favourites.")
    else:
        messages.info(request, "They are among your favourites already.")
    return redirect(back_to(request, reverse("library:timeline")))
