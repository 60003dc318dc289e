"""The books of the pipeline in the admin: read-only, but for the actions that run things again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from ingest import tasks
from ingest.failures import classes, failed_runs
from ingest.models import LostLease, ScanSession, StepRun, StepTally
from ingest.retrying import AT_ONCE, By, Opened, ReprocessRefused, reprocess, retry_photos, retry_runs
from library.admin import PhotoAdminBase, ReadOnlyAdmin, TabularInline
from library.forms import TimeActionForm
from library.models import Photo


class StepRunInline(TabularInline[StepRun, Photo]):
    """The ledger of one photo."""

    model = StepRun
    fields = readonly_fields = ("step", "status", "engine", "attempts", "milliseconds", "error", "updated_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pipeline writes here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pipeline writes here."""
        return False


class LostLeaseInline(TabularInline[LostLease, Photo]):
    """The workers that lost one photo."""

    model = LostLease
    fields = readonly_fields = ("at", "state", "worker", "cause", "beside", "message")
    extra = 0
    can_delete = False
    verbose_name_plural = "workers that lost this photo"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pipeline writes here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the pipeline writes here."""
        return False


class StepForm(TimeActionForm):
    """Beside the actions, with what those on times ask: the step that "Run a step again" means."""

    step = forms.ChoiceField(required=False, choices=[("", "step: –"), *StepRun.Step.choices])


@admin.register(Photo)
class PhotoAdmin(PhotoAdminBase):
    """Photos with their ledger."""

    inlines = (StepRunInline, LostLeaseInline)
    action_form = StepForm
    actions = (*PhotoAdminBase.actions, "run_again", "run_step_again")

    @admin.action(description="Run the chosen step again, also where it went well", permissions=["view"])
    def run_step_again(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Open the chosen photos again for one step."""
        step = request.POST.get("step", "")
        if step not in StepRun.Step.values:
            messages.error(request, "Choose the step beside the action.")
            return
        chosen = {"selection": "admin", "ids": _few(queryset)}
        try:
            _tell(
                request,
                reprocess(photos=queryset, steps=[step], by=_by(request), most=AT_ONCE, chosen=chosen),
            )
        except ReprocessRefused as refused:
            messages.error(request, str(refused))

    @admin.action(description="Run again what failed", permissions=["view"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Open the chosen photos again."""
        chosen = {"selection": "admin", "ids": _few(queryset)}
        _tell(request, retry_photos(photos=queryset, by=_by(request), most=AT_ONCE, chosen=chosen))


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyAdmin[StepRun]):
    """Every step of every photo."""

    list_display = ("photo", "step", "status", "engine", "attempts", "milliseconds", "error", "updated_at")
    list_filter = ("status", "step")
    list_select_related = ("photo",)
    search_fields = ("error", "engine")
    actions = ("run_again",)

    @admin.action(description="Run these steps again", permissions=["view"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[StepRun]) -> None:
        """Open the photos of the chosen steps again."""
        chosen = {"selection": "admin", "ids": _few(queryset)}
        _tell(request, retry_runs(runs=queryset, by=_by(request), most=AT_ONCE, chosen=chosen))

    def get_urls(self) -> list[URLPattern]:
        """With the failures by class."""
        own = path("failures/", self.admin_site.admin_view(self.failures), name="ingest_steprun_failures")
        return [own, *super().get_urls()]

    def failures(self, request: HttpRequest) -> HttpResponse:
        """Failures grouped by step and reason; POST runs one group again."""
        if not getattr(request.user, "is_superuser", False):
            raise PermissionDenied
        if request.method == "POST":
            chosen = {name: request.POST.get(name, "").replace("\0", "") for name in ("step", "reason")}
            _tell(
                request,
                retry_runs(runs=failed_runs().filter(**chosen), by=_by(request), most=AT_ONCE, chosen=chosen),
            )
            return HttpResponseRedirect(reverse("admin:ingest_steprun_failures"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Failures by step and reason",
            "opts": self.model._meta,
            "classes": classes(),
        }
        return TemplateResponse(request, "admin/ingest/steprun/failures.html", context)


@admin.register(StepTally)
class StepTallyAdmin(ReadOnlyAdmin[StepTally]):
    """How often each step ended how, with which engine."""

    list_display = ("step", "engine", "status", "runs", "milliseconds")
    list_filter = ("step", "status")


@admin.register(ScanSession)
class ScanSessionAdmin(ReadOnlyAdmin[ScanSession]):
    """What each scan found."""

    list_display = ("root", "status", "found", "new", "changed", "vanished", "skipped", "started_at")
    list_filter = ("status",)
    list_select_related = ("root",)


def _by(request: HttpRequest) -> By:
    return By(request.user.pk, "admin")


def _few(rows: QuerySet[Any]) -> list[int]:
    """The first of the chosen rows, for the audit: an admin can choose a million."""
    return list(rows.order_by("pk").values_list("pk", flat=True)[:100])


def _tell(request: HttpRequest, opened: Opened) -> None:
    if opened.photos:
        tasks.wake_all()
    messages.success(request, opened.sentence)
