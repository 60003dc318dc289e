"""Somebody in the family, or next to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from library.models import EmbeddingSpace


class PersonQuerySet(models.QuerySet["Person"]):
    """Queries over people. Whom a user may know of is decided in ``people.access``."""

    def active(self) -> PersonQuerySet:
        """Those who stand for themselves: not merged into somebody else, not taken back."""
        return self.filter(merged_into__isnull=True, removed=False)


class Person(models.Model):
    """A person with a name. Which faces are theirs follows from the labels.

    A person who was merged keeps the row, the labels and everything else: it points to the person it is now.
    So a merge can be undone, and a name that was merged away still leads to somebody.
    """

    name = models.CharField(max_length=200)
    birth_date = models.DateField(null=True, blank=True)
    notes = models.TextField(blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="person",
        help_text="The account of this person, if there is one.",
    )
    hidden = models.BooleanField(default=False)
    cover = models.ForeignKey(
        "people.Face", on_delete=models.SET_NULL, null=True, blank=True, related_name="cover_of"
    )
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        help_text="Whom this person is now; always somebody who was not merged again.",
    )
    removed = models.BooleanField(default=False, help_text="Taken back together with what made this person.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PersonQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("pk")), name="person_not_into_itself"
            ),
        )
        ordering = ("name", "pk")
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Whether this person stands for itself."""
        return self.merged_into_id is None and not self.removed

    @property
    def final_id(self) -> int:
        """The key of the person this one is now."""
        return self.merged_into_id or self.pk


class NotSame(models.Model):
    """Two people of whom somebody said that they are not the same: never merged, never proposed for it."""

    one = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    two = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey("people.PeopleEvent", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(one__lt=F("two")), name="not_same_in_order"),
            models.UniqueConstraint(fields=("one", "two"), name="not_same_unique"),
        )
        verbose_name_plural = "people who are not the same"

    def __str__(self) -> str:
        return f"{self.one} is not {self.two}"


class Calibration(models.Model):
    """What similarities of one space mean in this library, learnt from its own labels."""

    space = models.OneToOneField(EmbeddingSpace, on_delete=models.CASCADE, related_name="calibration")
    coefficients = models.JSONField(default=dict, help_text="Of the logistic model, by feature.")
    high = models.FloatField(help_text="Similarity from which a face is named without asking.")
    low = models.FloatField(help_text="Similarity from which a name is suggested.")
    margin = models.FloatField(help_text="How far ahead of the runner-up it has to be.")
    bins = models.JSONField(default=list, help_text="Predicted against observed, for the diagram.")
    labels = models.PositiveIntegerField(default=0, help_text="Answers it was learnt from.")
    made_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Calibration of {self.space}"
