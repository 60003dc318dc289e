"""The books of the pipeline in the admin: read-only, but for the actions that run things again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ingest import tasks
from ingest.ledger import retry, retry_photos
from ingest.models import ScanSession, StepRun
from library.admin import PhotoAdminBase, ReadOnlyAdmin, TabularInline
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


@admin.register(Photo)
class PhotoAdmin(PhotoAdminBase):
    """Photos with their ledger."""

    inlines = (StepRunInline,)
    actions = (*PhotoAdminBase.actions, "run_again")

    @admin.action(description="Run again what failed", permissions=["view"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Open the chosen photos again."""
        opened = retry_photos(queryset)
        tasks.wake_all()
        messages.success(request, f"{opened} photos are run again.")


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
        opened = retry(queryset)
        tasks.wake_all()
        messages.success(request, f"{opened} photos are run again.")


@admin.register(ScanSession)
class ScanSessionAdmin(ReadOnlyAdmin[ScanSession]):
    """What each scan found."""

    list_display = ("root", "status", "found", "new", "changed", "vanished", "skipped", "started_at")
    list_filter = ("status",)
    list_select_related = ("root",)
