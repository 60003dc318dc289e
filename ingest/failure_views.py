"""The ledger as a tool: what failed, by class, with retries; and how much work waits. For owners only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ingest import figures, reports, tallies, tasks
from ingest.failures import MOST_CLASSES, chosen_runs, classes, failed_runs, set_aside, stories
from ingest.models import StepRun
from ingest.retrying import AT_ONCE, By, Opened, retry_photos, retry_runs

PAGE = 50
STORIES_SHOWN = 50

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponse]


def owners_only(view: View[Arguments]) -> View[Arguments]:
    """403 for everybody else: the page names files and machines, and what it does costs hours of work."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        if not getattr(request.user, "is_superuser", False):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@owners_only
def failures(request: HttpRequest) -> HttpResponse:
    """All classes; with ``?step=…&reason=…`` the photos of one class, ``after`` the entry of that number."""
    step, reason = request.GET.get("step", ""), _clean(request.GET.get("reason", ""))
    if step in StepRun.Step.values:
        return render(
            request, "ingest/failure_class.html", _one_class(step, reason, request.GET.get("after", ""))
        )
    order = [known.value for known in StepRun.Step]
    context = {
        # By step in the order of the pipeline; within a step the largest stay first.
        "classes": sorted(classes(), key=lambda found: order.index(found.step)),
        "most": MOST_CLASSES,
        "stories": stories(STORIES_SHOWN),
        "set_aside": set_aside().count(),
    }
    return render(request, "ingest/failures.html", context)


def _one_class(step: str, reason: str, after: str) -> dict[str, object]:
    runs = StepRun.objects.filter(status=StepRun.Status.FAILED, step=step, reason=reason)
    number = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    page = runs.filter(pk__gt=number).select_related("photo").defer("photo__exif").order_by("pk")
    rows = list(page.prefetch_related("photo__files")[: PAGE + 1])
    following = urlencode({"step": step, "reason": reason, "after": rows[PAGE - 1].pk}) if rows[PAGE:] else ""
    return {
        "step": step,
        "reason": reason,
        "count": runs.count(),
        "runs": rows[:PAGE],
        "following": following,
        "first": not number,
    }


@require_POST
@owners_only
def retry(request: HttpRequest) -> HttpResponse:
    """Run again what the form names: a photo, a class, everything, or what was set aside; then back."""
    opened = _retry(request)
    if opened is None:
        messages.error(request, "Nothing was chosen to be run again.")
    else:
        tasks.wake_all()
        messages.success(
            request, f"{opened.sentence} It is on its way now." if opened.photos else opened.sentence
        )
    return HttpResponseRedirect(reverse("ingest:failures"))


def _retry(request: HttpRequest) -> Opened | None:
    form, by = request.POST, By(request.user.pk, "page")
    scope, number, step = form.get("scope", ""), form.get("photo", ""), form.get("step", "")
    photo = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
    if scope == "all":
        return retry_runs(runs=failed_runs(), by=by, most=AT_ONCE, chosen={"scope": "all"})
    if scope == "class" and step in StepRun.Step.values:
        reason = _clean(form.get("reason", ""))
        runs = failed_runs().filter(step=step, reason=reason)
        return retry_runs(runs=runs, by=by, most=AT_ONCE, chosen={"step": step, "reason": reason})
    if scope == "photo" and photo is not None:
        return retry_runs(runs=chosen_runs(photo=photo), by=by, most=AT_ONCE, chosen={"photo": photo})
    if scope == "set aside":
        chosen = set_aside() if photo is None else set_aside().filter(pk=photo)
        return retry_photos(photos=chosen, by=by, most=AT_ONCE, chosen={"photo": photo})
    return None


def _clean(reason: str) -> str:
    """No reason holds a NUL, and PostgreSQL refuses to look for one."""
    return reason.replace("\0", "")


@require_safe
@owners_only
def work(request: HttpRequest) -> HttpResponse:
    """How much waits, what each engine made of its steps, what the workers hold."""
    told = reports.reports()
    context = {
        "waiting": figures.waiting(),
        "queues": figures.queues(),
        "records": tallies.records(),
        "memory": told,
        "warnings": reports.warnings(told),
    }
    return render(request, "ingest/work.html", context)
