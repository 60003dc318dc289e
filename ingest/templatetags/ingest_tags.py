"""What other pages show of the pipeline."""

from __future__ import annotations

from typing import Any

from django import template

from ingest.models import StepRun
from library.models import Photo

register = template.Library()


@register.inclusion_tag("ingest/_photo_ledger.html")
def photo_ledger(photo: Photo) -> dict[str, Any]:
    """Every step that was run on this photo, in the order of the pipeline."""
    order = {step.value: position for position, step in enumerate(StepRun.Step)}
    return {"photo": photo, "steps": sorted(photo.steps.all(), key=lambda run: order[run.step])}
