"""Correct when a photo was taken."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from library.access import photo_or_404
from library.actions.times import correct_times, undo_corrections
from library.forms import TimeForm
from library.models import Photo
from library.same_clock import TooMany, ids_in


@require_POST
def correct_time(request: HttpRequest, pk: int) -> HttpResponse:
    """Set clock and offset of one photo, or with ``undo`` go back to what its file says. For owners.

    ``scope`` says what else is meant (``library.same_clock``): the others' clocks move as far as this one's.
    """
    photo = photo_or_404(request.user, pk)
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied
    try:
        ids = ids_in(photo, request.POST.get("scope", "photo"))
    except TooMany as refused:
        messages.error(request, str(refused))
        return redirect("library:photo", pk)
    if "undo" in request.POST:
        undone = undo_corrections(photo_ids=ids, actor_id=request.user.pk)
        messages.success(request, f"The time of {_photos(undone)} is again what the file says.")
        return redirect("library:photo", pk)
    form = TimeForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect("library:photo", pk)
    local, offset = form.cleaned_data["taken_local"], form.cleaned_data["offset"]
    # The browser sends minutes: a clock that was not touched keeps its seconds.
    if local and photo.taken_local and local == photo.taken_local.replace(second=0, microsecond=0):
        local = None
    try:
        changed = _correct(photo, ids, request.user.pk, local, offset)
    except ValueError as error:
        messages.error(request, str(error))
    else:
        if changed:
            messages.success(request, f"The time of {_photos(changed)} was corrected.")
    return redirect("library:photo", pk)


def _correct(
    photo: Photo, ids: list[int], actor_id: int | None, local: datetime | None, offset: int | None
) -> int:
    if len(ids) == 1:
        return correct_times(photo_ids=ids, actor_id=actor_id, taken_local=local, offset_minutes=offset)
    if local and photo.taken_local is None:
        raise ValueError("This photo has no time yet: correct it alone first, then the others with it.")
    # The browser knows no seconds: those of the photo are not a part of the shift.
    shown = photo.taken_local.replace(second=0, microsecond=0) if photo.taken_local else local
    shift = local - shown if local and shown else timedelta()
    return correct_times(photo_ids=ids, actor_id=actor_id, shift=shift, offset_minutes=offset)


def _photos(count: int) -> str:
    return "this photo" if count == 1 else f"{count:,} photos"
