"""Categories, and which tags fall into them. The owner edits both in the admin."""

from __future__ import annotations

from django.db import models

from library.models.tag import Tag


class Category(models.Model):
    """A drawer of the library."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class TagMappingQuerySet(models.QuerySet["TagMapping"]):
    """Queries over mappings."""

    def vocabulary(self) -> list[str]:
        """The names of all mapped tags in a stable order: what the zero-shot tagger looks for."""
        return list(self.order_by("tag__name").values_list("tag__name", flat=True))


class TagMapping(models.Model):
    """Photos with this tag belong to this category."""

    tag = models.OneToOneField(Tag, on_delete=models.CASCADE, related_name="mapping")
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="mappings")

    objects = TagMappingQuerySet.as_manager()

    class Meta:
        ordering = ("category", "tag")

    def __str__(self) -> str:
        return f"{self.tag} → {self.category}"
