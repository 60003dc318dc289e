"""Words engines give to photos."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models.functions import Lower

from library.models.photo import Photo


class TagQuerySet(models.QuerySet["Tag"]):
    """Queries over tags."""

    def ensure(self, names: Iterable[str]) -> dict[str, Tag]:
        """The tags of these names by lower-cased name; those that do not exist are made."""
        wanted = {name.lower(): name for name in names}
        found = self._by_lower_name(wanted)
        # In one order, so that no two who make the same ones wait for each other in a circle.
        missing = [Tag(name=name) for lower, name in sorted(wanted.items()) if lower not in found]
        if missing:
            self.bulk_create(missing, ignore_conflicts=True)
            found = self._by_lower_name(wanted)
        return found

    def _by_lower_name(self, wanted: dict[str, str]) -> dict[str, Tag]:
        tags = self.annotate(lower=Lower("name")).filter(lower__in=list(wanted))
        return {tag.name.lower(): tag for tag in tags}


class Tag(models.Model):
    """A word; upper and lower case mean the same tag."""

    name = models.CharField(max_length=100)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(Lower("name"), name="tag_unique_name"),)

    def __str__(self) -> str:
        return self.name


class DetectedObject(models.Model):
    """A tag an engine gave to a photo; the category follows from the tag mappings."""

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="detected_objects")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="detections")
    confidence = models.FloatField()
    category = models.ForeignKey(
        "library.Category", on_delete=models.SET_NULL, null=True, related_name="detections", db_index=False
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=("photo", "tag"), name="detected_object_unique"),)
        # Photos of a category are counted and found without the rows themselves.
        indexes = (models.Index(fields=("category", "photo"), name="detected_object_of_category"),)
        ordering = ("-confidence", "pk")

    def __str__(self) -> str:
        return f"{self.tag} ({self.confidence:.2f})"
