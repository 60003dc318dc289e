"""Dates of photos that were corrected, and who cannot be in them any more."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import F, Q

from people.actions.deed import Deed, Source, Verdict
from people.locks import enter_gate, lock_photos_of
from people.models import Face, FaceLabel, PeopleEvent
from people.rules import TAKEN


@transaction.atomic
def withdraw_early_names(*, photo_ids: Collection[int] | None = None) -> int:
    """Take names off faces in photos that turned out to be from before the birth; of these photos, or of all.

    What people said stays: ``verify_library`` names it, and they correct one of the dates. Returns how many
    faces lost their name.
    """
    enter_gate()
    where = Q() if photo_ids is None else Q(photo__in=photo_ids)
    faces = Face.objects.filter(where, person__birth_date__isnull=False, photo__taken_local__isnull=False)
    told = faces.exclude(person_source=Source.HUMAN_CONFIRMED).alias(taken=TAKEN)
    early = list(told.filter(taken__lt=F("person__birth_date")).values_list("pk", flat=True))
    if not early:
        return 0
    lock_photos_of(early)
    names = FaceLabel.objects.in_force().filter(face__in=early, verdict=Verdict.CONFIRMED)
    deed = Deed(PeopleEvent.Kind.WITHDRAW, by=None, early=True)
    deed.data["faces"] = deed.revoke(names.exclude(source=Source.HUMAN_CONFIRMED))
    deed.finish()
    return len(deed.faces)
