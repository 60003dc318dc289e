"""Give a new library its categories."""

from __future__ import annotations

from django.db import transaction

from library.models import Category, Tag, TagMapping
from library.seeds import CATEGORIES


@transaction.atomic
def seed_categories() -> bool:
    """Make the seeded categories and mappings in a library that has none; say whether it was done.

    A library with any category is left alone: what the owner renamed or removed stays so.
    """
    if Category.objects.exists():
        return False
    for position, (slug, names) in enumerate(CATEGORIES.items()):
        category = Category.objects.create(slug=slug, name=slug.capitalize(), position=position)
        tags = Tag.objects.ensure(names)
        TagMapping.objects.bulk_create(
            [TagMapping(tag=tags[name.lower()], category=category) for name in names], ignore_conflicts=True
        )
    return True
