"""Photos lost by their workers: each loss is written down, so that a photo that kills has a story to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from ingest.models import LostLease
from library.models import Photo

#: Stories of photos that went on well are kept this long.
KEPT = timedelta(days=90)


def lose(held: QuerySet[Photo], *, dead: Collection[str] = (), broke_off: str = "") -> int:
    """Free photos whose workers lost them, count and record it; returns how many.

    ``dead``: names of the workers whose processes are gone; those of others ran out of time.
    ``broke_off``: instead the error with which the calling worker breaks off.
    A photo that somebody is writing about at this moment is left: its worker lives.
    """
    ids = list(held.values_list("pk", flat=True))
    return _lose(held.filter(pk__in=ids), dead, broke_off) if ids else 0


@transaction.atomic
def _lose(held: QuerySet[Photo], dead: Collection[str], broke_off: str) -> int:
    # Asked again under the lock: another process may have freed some meanwhile.
    locked = held.order_by("pk").select_for_update(skip_locked=True, of=("self",))
    lost = list(locked.values_list("pk", "leased_by", "state"))
    together = Counter(worker for _, worker, _ in lost)
    now = timezone.now()
    LostLease.objects.bulk_create(
        LostLease(
            photo_id=pk,
            worker=worker,
            state=state,
            cause=_cause(worker, dead, broke_off),
            message=broke_off,
            beside=together[worker] - 1,
            at=now,
        )
        for pk, worker, state in lost
    )
    Photo.objects.filter(pk__in=[pk for pk, _, _ in lost]).update(
        lease_until=None, leased_by="", lost_leases=F("lost_leases") + 1
    )
    old = LostLease.objects.filter(at__lt=now - KEPT)
    old.exclude(photo__state=Photo.State.FAILED).delete()
    return len(lost)


def _cause(worker: str, dead: Collection[str], broke_off: str) -> LostLease.Cause:
    if broke_off:
        return LostLease.Cause.BROKE_OFF
    return LostLease.Cause.DIED if worker in dead else LostLease.Cause.RAN_OUT
