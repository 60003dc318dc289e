"""Put today's tag mappings onto photos that were tagged under yesterday's."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from library.models import DetectedObject, TagMapping


@dataclass(frozen=True, slots=True)
class Remapped:
    """How many detections were put into a (new) category, how many into none, and which tags those were."""

    mapped: int
    cleared: int
    tag_ids: tuple[int, ...]


@transaction.atomic
def reindex_categories() -> Remapped:
    """Set the category of every detection to what the mappings say; no picture is touched."""
    mapping = TagMapping.objects.filter(tag=OuterRef("tag"))
    wanted = Subquery(mapping.values("category"))
    moved = DetectedObject.objects.filter(tag__mapping__isnull=False).filter(
        Q(category__isnull=True) | ~Q(category=wanted)
    )
    orphaned = DetectedObject.objects.filter(tag__mapping__isnull=True, category__isnull=False)
    tag_ids = {*_tags(moved), *_tags(orphaned)}
    return Remapped(
        mapped=moved.update(category=wanted),
        cleared=orphaned.update(category=None),
        tag_ids=tuple(sorted(tag_ids)),
    )


def _tags(detections: QuerySet[DetectedObject]) -> QuerySet[DetectedObject, int]:
    return detections.order_by().values_list("tag_id", flat=True).distinct()
