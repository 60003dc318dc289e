"""What happened to people and faces, so that it can be told and taken back."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from people.models.person import Person


class PeopleEvent(models.Model):
    """One deed. Its labels name it, and so do those it took out of force; ``data`` holds the rest of it.

    ``by`` is empty for what the program did itself.
    """

    class Kind(models.TextChoices):
        """What was done."""

        CONFIRM = "confirm", "confirmed"
        REJECT = "reject", "said who it is not"
        ASSIGN = "assign", "moved"
        UNASSIGN = "unassign", "took the name off"
        CREATE_PERSON = "create_person", "new person"
        RENAME = "rename", "renamed"
        EDIT = "edit", "edited"
        SET_COVER = "set_cover", "chose the cover"
        PIN = "pin", "pinned a face"
        UNPIN = "unpin", "unpinned a face"
        MERGE = "merge", "merged"
        SPLIT = "split", "split"
        IGNORE = "ignore", "ignored"
        NOT_A_FACE = "not_a_face", "said it is no face"
        DRAW = "draw", "drew a face"
        MOVE_BOX = "move_box", "moved a box"
        DELETE_BOX = "delete_box", "deleted a box"
        NOT_SAME = "not_same", "said they are two"
        MAYBE_SAME = "maybe_same", "took back that they are two"
        GUESS = "guess", "recognised by the program"
        WITHDRAW = "withdraw", "guesses withdrawn by the program"
        IMPORT = "import", "named by another program"
        UNDO = "undo", "undone"

    kind = models.CharField(max_length=16, choices=Kind)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="people_events"
    )
    at = models.DateTimeField(auto_now_add=True)
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, related_name="events", help_text="Whom it is about."
    )
    data = models.JSONField(default=dict, help_text="What is needed to tell it and to undo it.")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, related_name="undoes", help_text="The undoing event."
    )
    settled = models.PositiveIntegerField(
        null=True, help_text="Faces that got a name because of it; empty: nothing was learnt from it yet."
    )

    class Meta:
        indexes = (
            models.Index(fields=("-at", "-id"), name="people_event_latest"),
            models.Index(fields=("id",), condition=Q(settled__isnull=True), name="people_event_unsettled"),
        )
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.pk})"
