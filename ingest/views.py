"""The status page, its live progress, and the same as JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ingest import clusters, reports
from ingest import progress as books
from ingest.models import ScanSession
from ingest.session_progress import open_sessions
from library.access import hidden_roots, photos_for
from library.models import Photo, PhotoQuerySet, Root

FAILURES_SHOWN = 100
OPEN_SHOWN = 5


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """How the library stands. What names files is for the owner only."""
    context: dict[str, Any] = {"progress": books.progress(_countable(request)), "engines": books.engines()}
    context["steps"] = books.steps(_countable(request))
    if _is_owner(request):
        context["memory"] = reports.reports()
        context["clusters"] = clusters.clusters()
        context["warnings"] = clusters.warnings(context["clusters"]) + books.warnings(context["memory"])
        context["spaces"] = books.spaces()
        context["states"] = open_sessions(most=OPEN_SHOWN)
    if getattr(request.user, "is_staff", False):
        failed = Photo.objects.filter(state=Photo.State.FAILED)
        context["failure_count"] = failed.count()
        context["failures"] = failed.prefetch_related("files").order_by("-pk")[:FAILURES_SHOWN]
        context["skips"] = books.latest_skips()
        context["sessions"] = ScanSession.objects.select_related("root")[:10]
        context["folders"] = Root.objects.all()
    return render(request, "ingest/status.html", context)


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """The progress strip. Only while there is something to do does it ask again."""
    response = render(request, "ingest/_progress.html", {"progress": books.progress(_countable(request))})
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def stats(request: HttpRequest) -> JsonResponse:
    """Photos by state, steps by status, engines; for the owner also workers, memory, spaces and warnings."""
    now = books.progress(_countable(request))
    memory = reports.reports() if _is_owner(request) else []
    workers = clusters.clusters() if _is_owner(request) else []
    return JsonResponse(
        {
            "photos": {"total": now.total, **now.by_state},
            "percent": now.percent,
            "running": now.running,
            "per_minute": now.per_minute,
            "seconds_left": now.seconds_left,
            "steps": books.steps(_countable(request)),
            "engines": {engine.port: engine.live for engine in books.engines()},
            "memory": memory,
            "spaces": books.spaces() if _is_owner(request) else [],
            "workers": workers,
            "warnings": clusters.warnings(workers) + (books.warnings(memory) if _is_owner(request) else []),
        }
    )


def _countable(request: HttpRequest) -> PhotoQuerySet | None:
    """The owner's numbers are about everything; a member's about what they may see.

    Where nothing is hidden from a member that is everything, too: kept counts, instead of counting photos.
    """
    return photos_for(request.user) if hidden_roots(request.user) else None


def _is_owner(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
