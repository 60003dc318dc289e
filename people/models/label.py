"""What was said about a face. Append-only: a face's person is derived from its labels."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from people.models.event import PeopleEvent
from people.models.face import Face
from people.models.person import Person


class FaceLabelQuerySet(models.QuerySet["FaceLabel"]):
    """Queries over labels."""

    def in_force(self) -> FaceLabelQuerySet:
        """What holds at the moment."""
        return self.filter(revoked_by__isnull=True)

    def about(self, person_ids: Collection[int]) -> FaceLabelQuerySet:
        """What was said about these people, or about somebody who was merged into them."""
        return self.filter(Q(person__in=person_ids) | Q(person__merged_into__in=person_ids))

    def pairs(self) -> set[tuple[int, int]]:
        """Each face with whom the label's person is now, after merges."""
        rows = self.filter(person__isnull=False).order_by()
        return set(rows.values_list("face_id", Coalesce("person__merged_into_id", "person_id")))


class FaceLabel(models.Model):
    """One verdict: this face is, or is not, this person; or it is nobody's. A rejection holds for ever.

    A label is never changed or deleted. What a later event overrules, or its undo takes back, is named in
    ``revoked_by`` and counts no more.
    """

    class Verdict(models.TextChoices):
        """What was said. The last three are about the box, not about a person."""

        CONFIRMED = "confirmed"
        REJECTED = "rejected"
        IGNORED = "ignored"
        NOT_A_FACE = "not_a_face"
        DELETED = "deleted"

    Source = Face.Source

    #: Verdicts that leave nobody's face.
    MARKS = (Verdict.IGNORED, Verdict.NOT_A_FACE, Verdict.DELETED)

    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="labels")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="labels")
    verdict = models.CharField(max_length=10, choices=Verdict)
    source = models.CharField(max_length=16, choices=Source)
    confidence = models.FloatField(null=True)
    engine = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    at = models.DateTimeField(default=timezone.now)
    event = models.ForeignKey(PeopleEvent, on_delete=models.PROTECT, null=True, related_name="labels")
    revoked_by = models.ForeignKey(
        PeopleEvent,
        on_delete=models.PROTECT,
        null=True,
        related_name="revoked_labels",
        help_text="The event that put it out of force; empty: it holds.",
    )

    objects = FaceLabelQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(person__isnull=False, verdict__in=("confirmed", "rejected"))
                | Q(person__isnull=True, verdict__in=("ignored", "not_a_face", "deleted")),
                name="face_label_about_person",
            ),
        )
        indexes = (
            models.Index(fields=("face", "-at"), name="face_label_latest"),
            models.Index(
                fields=("person", "verdict"), condition=Q(revoked_by__isnull=True), name="face_label_in_force"
            ),
        )
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.face_id} {self.verdict} {self.person or ''}".rstrip()

    @property
    def final_id(self) -> int | None:
        """The key of whom the label's person is now."""
        return self.person.final_id if self.person else None
