"""Put today's tag mappings onto photos that were tagged under yesterday's."""

from __future__ import annotations

from django.db import transaction
from django.db.models import OuterRef, Subquery

from library.models import DetectedObject, TagMapping


@transaction.atomic
def reindex_categories() -> dict[str, int]:
    """Set the category of every detection to what the mappings say; no picture is touched.

    Returns how many detections were ``mapped`` to a (new) category and how many were ``cleared``.
    """
    mapping = TagMapping.objects.filter(tag=OuterRef("tag"))
    moved = DetectedObject.objects.filter(tag__mapping__isnull=False).exclude(
        category=Subquery(mapping.values("category"))
    )
    orphaned = DetectedObject.objects.filter(tag__mapping__isnull=True, category__isnull=False)
    return {
        "mapped": moved.update(category=Subquery(mapping.values("category"))),
        "cleared": orphaned.update(category=None),
    }
