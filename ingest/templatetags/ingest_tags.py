"""What other pages show of the pipeline."""

from __future__ import annotations

from typing import Any

from django import template

from ingest.models import StepRun
from ingest.upload_rules import accepted, may_upload
from library.models import Photo

register = template.Library()


@register.inclusion_tag("ingest/_uploader.html", takes_context=True)
def uploader(context: dict[str, Any]) -> dict[str, Any]:
    """The way to add photos, for those who may."""
    request = context["request"]
    allowed = may_upload(request.user)
    return {"allowed": allowed, "extensions": accepted(), "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("ingest/_photo_ledger.html")
def photo_ledger(photo: Photo) -> dict[str, Any]:
    """Every step that was run on this photo, in the order of the pipeline."""
    order = {step.value: position for position, step in enumerate(StepRun.Step)}
    return {"photo": photo, "steps": sorted(photo.steps.all(), key=lambda run: order[run.step])}
