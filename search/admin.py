"""Tag mappings, where a change also changes the words photos are found by."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from library.admin import TagMappingAdminBase
from library.models import TagMapping
from search.remapping import apply_mappings


@admin.register(TagMapping)
class TagMappingAdmin(TagMappingAdminBase):
    """Which tag falls into which category."""

    actions = ("remap",)

    @admin.action(description="Re-map photos with today's mappings")
    def remap(self, request: HttpRequest, _: QuerySet[TagMapping]) -> None:
        """Apply all mappings, not the chosen ones alone: it is the same few statements."""
        changed = apply_mappings()
        self.message_user(
            request,
            f"{changed.mapped} tags of photos moved, {changed.cleared} left without a category.",
            messages.SUCCESS,
        )
