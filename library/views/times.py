"""Correct when a photo was taken."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from library.access import photo_or_404
from library.actions.times import correct_times, undo_corrections
from library.forms import TimeForm


@require_POST
def correct_time(request: HttpRequest, pk: int) -> HttpResponse:
    """Set clock and offset of one photo, or with ``undo`` go back to what its file says. For owners."""
    photo = photo_or_404(request.user, pk)
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied
    if "undo" in request.POST:
        undo_corrections(photo_ids=[pk], actor_id=request.user.pk)
        messages.success(request, "The time is again what the file says.")
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
        changed = correct_times(
            photo_ids=[pk], actor_id=request.user.pk, taken_local=local, offset_minutes=offset
        )
    except ValueError as error:
        messages.error(request, str(error))
    else:
        if changed:
            messages.success(request, "The time was corrected.")
    return redirect("library:photo", pk)
