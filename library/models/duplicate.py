"""Perceptual hashes, and pairs of photos that show the same picture."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from pgvector.django import BitField, HnswIndex

from library.models.photo import Photo


class PhotoHash(models.Model):
    """The PDQ hash of a photo: 256 bits compared by Hamming distance."""

    photo = models.OneToOneField(Photo, on_delete=models.CASCADE, related_name="hash", primary_key=True)
    pdq = BitField(length=256)
    quality = models.PositiveSmallIntegerField(help_text="PDQ's own 0..100; flat pictures hash poorly.")

    class Meta:
        indexes = (HnswIndex(fields=("pdq",), name="photo_hash_pdq", opclasses=("bit_hamming_ops",)),)
        verbose_name_plural = "photo hashes"

    def __str__(self) -> str:
        return f"PDQ of {self.photo_id}"


class DuplicatePairQuerySet(models.QuerySet["DuplicatePair"]):
    """Queries over pairs."""

    def of(self, photo_id: int) -> DuplicatePairQuerySet:
        """Pairs this photo is part of."""
        return self.filter(Q(first_id=photo_id) | Q(second_id=photo_id))

    def standing(self) -> DuplicatePairQuerySet:
        """Pairs that nobody declared to be different pictures."""
        return self.exclude(decision=DuplicatePair.Decision.DIFFERENT)


class DuplicatePair(models.Model):
    """Two photos whose PDQ hashes are close. Identical bytes never come here: they are one photo."""

    class Kind(models.TextChoices):
        """What the closeness means."""

        SAME_PICTURE = "same_picture", "same picture"
        BURST = "burst", "burst"

    class Decision(models.TextChoices):
        """What a person said about the pair; remembered for ever."""

        UNDECIDED = "undecided"
        SAME = "same"
        DIFFERENT = "different"

    first = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="pairs_as_first")
    second = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="pairs_as_second")
    distance = models.PositiveSmallIntegerField(help_text="Hamming distance of the hashes, 0..256.")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.SAME_PICTURE)
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.UNDECIDED)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    decided_at = models.DateTimeField(null=True)

    objects = DuplicatePairQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("first", "second"), name="duplicate_pair_unique"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="duplicate_pair_ordered"),
        )

    def __str__(self) -> str:
        return f"{self.first_id} ~ {self.second_id} ({self.distance})"
