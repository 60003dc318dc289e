"""A face in a photo, the good faces a person is recognised by, and what is guessed about unknown ones."""

from __future__ import annotations

from django.db import models
from django.db.models import Deferrable, F, Q
from pgvector.django import VectorField

from library.models import EmbeddingSpace, Photo
from people.models.person import Person


class FaceCluster(models.Model):
    """Faces without a name that look like one person."""

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="face_clusters")
    key = models.CharField(max_length=64, help_text="Stays when the cluster is found again.")
    cover = models.ForeignKey("people.Face", on_delete=models.SET_NULL, null=True, related_name="+")
    size = models.PositiveIntegerField(default=0)
    ignored = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("space", "key"), name="face_cluster_unique"),)
        ordering = ("-size", "pk")

    def __str__(self) -> str:
        return f"{self.size} faces without a name"


class Face(models.Model):
    """One face: its box as fractions of the upright photo, and its embedding in its space.

    What an engine does not estimate is null or empty. Age and sex are guesses of a model: no page shows them.

    ``person``, ``person_source`` and ``status`` are derived from the labels by ``people.derivation`` and
    written nowhere else. Whoever updates faces locks them first, by ``people.locks``.
    """

    class SexGuess(models.TextChoices):
        """What a model took somebody for."""

        FEMALE = "female"
        MALE = "male"

    class Source(models.TextChoices):
        """Who said whose face it is; empty: nobody."""

        HUMAN_CONFIRMED = "human_confirmed"
        MODEL_GUESS = "model_guess"
        IMPORTED = "imported"

    class Status(models.TextChoices):
        """What people made of it. Only a FACE is somebody, or somebody unknown."""

        FACE = "face"
        IGNORED = "ignored"
        NOT_A_FACE = "not_a_face"
        DELETED = "deleted", "deleted box"

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="faces")
    space = models.ForeignKey(
        EmbeddingSpace,
        on_delete=models.PROTECT,
        null=True,
        related_name="faces",
        help_text="Empty for a box that a person drew and no engine has found.",
    )
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()
    drawn = models.BooleanField(
        default=False, help_text="The box is a person's; engines leave it where it is."
    )
    confidence = models.FloatField(help_text="0..1: the detector's score, on one scale for all engines.")
    quality = models.FloatField(help_text="0..1: size, sharpness, pose and detection score together.")
    landmarks = models.JSONField(default=list, help_text="Points (x, y) as fractions of the upright photo.")
    yaw = models.FloatField(
        null=True, help_text="Degrees; positive: turned to the right edge of the picture."
    )
    pitch = models.FloatField(null=True, help_text="Degrees; positive: looks up.")
    roll = models.FloatField(null=True, help_text="Degrees; positive: tilted clockwise.")
    age_guess = models.FloatField(null=True, help_text="Years; a model's guess from the looks, never a fact.")
    sex_guess = models.CharField(
        max_length=6,
        blank=True,
        choices=SexGuess,
        help_text="A model's guess from the looks, never a fact; not for display.",
    )
    embedding = VectorField(null=True)
    person = models.ForeignKey(
        Person, on_delete=models.PROTECT, null=True, related_name="faces", db_index=False
    )
    person_source = models.CharField(max_length=16, choices=Source, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.FACE)
    cluster = models.ForeignKey(FaceCluster, on_delete=models.SET_NULL, null=True, related_name="faces")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="face_box_not_empty"),
            models.CheckConstraint(
                condition=Q(person__isnull=True, person_source="")
                | Q(person__isnull=False, status="face") & ~Q(person_source=""),
                name="face_person_with_source",
            ),
            models.CheckConstraint(
                condition=Q(space__isnull=True, embedding__isnull=True)
                | Q(space__isnull=False, embedding__isnull=False),
                name="face_embedding_in_space",
            ),
            # Nobody is in a photo twice. At the end of a transaction: within one a name may move.
            models.UniqueConstraint(
                fields=("photo", "person"), name="face_person_once", deferrable=Deferrable.DEFERRED
            ),
        )
        indexes = (
            models.Index(
                fields=("person", "photo"), condition=Q(person__isnull=False), name="face_of_person"
            ),
            models.Index(
                fields=("space", "id"),
                condition=Q(person__isnull=True, status="face"),
                name="face_unknown",
            ),
            # The inbox counts and sorts unknown faces; their rows are wide, since the vectors lie in them.
            models.Index(
                fields=("cluster", "-quality", "id"),
                condition=Q(person__isnull=True, status="face"),
                name="face_unknown_in_group",
            ),
        )
        ordering = ("photo", "x")

    def __str__(self) -> str:
        return f"Face {self.pk} in photo {self.photo_id}"


class Prototype(models.Model):
    """A face by which a person is recognised at one age."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="prototypes")
    face = models.OneToOneField(Face, on_delete=models.CASCADE, related_name="prototype")
    age_era = models.CharField(max_length=12, blank=True)
    year = models.PositiveSmallIntegerField(null=True, help_text="When the photo was taken, if known.")
    quality = models.FloatField()
    pinned = models.BooleanField(default=False)

    class Meta:
        ordering = (F("pinned").desc(), F("quality").desc())

    def __str__(self) -> str:
        return f"{self.person} by face {self.face_id}"
