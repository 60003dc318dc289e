"""Somebody in the family, or next to it."""

from __future__ import annotations

from django.db import models


class Person(models.Model):
    """A person with a name. Which faces are theirs follows from the labels."""

    name = models.CharField(max_length=200)
    birth_date = models.DateField(null=True, blank=True)
    hidden = models.BooleanField(default=False)
    cover = models.ForeignKey(
        "people.Face", on_delete=models.SET_NULL, null=True, blank=True, related_name="cover_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "pk")
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name
