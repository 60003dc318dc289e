"""How far the program's names can be trusted: thresholds in use, and predicted against observed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from library.models import EmbeddingSpace
from people.calibrating import LEAST_ANSWERS
from people.scores import scale_of


@require_safe
def accuracy(request: HttpRequest) -> HttpResponse:
    """One section a space of faces; for owners, since it counts everybody's answers."""
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied
    spaces = EmbeddingSpace.objects.filter(kind=EmbeddingSpace.Kind.FACE).exclude(
        status=EmbeddingSpace.Status.RETIRED
    )
    shown = [
        {"space": space, "scale": scale_of(space), "learnt": getattr(space, "calibration", None)}
        for space in spaces.select_related("calibration").order_by("status", "pk")
    ]
    return render(request, "people/accuracy.html", {"spaces": shown, "least": LEAST_ANSWERS})
