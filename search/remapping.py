"""Apply changed tag mappings everywhere: to the detections, and to the words a photo is found by."""

from __future__ import annotations

from django.db import transaction

from library.actions.categories import Remapped, reindex_categories
from search.indexing import reindex_photos_of_tags


@transaction.atomic
def apply_mappings() -> Remapped:
    """Re-map all detections and re-index the photos whose categories changed."""
    changed = reindex_categories()
    if changed.tag_ids:
        reindex_photos_of_tags(changed.tag_ids)
    return changed
