"""Take a folder out of the library."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from library.duplicates import regroup
from library.models import AuditEvent, Photo, PhotoFile, Root


@transaction.atomic
def forget_root(*, root: Root, actor_id: int | None) -> int:
    """Forget a root and where its files lay. Its photos keep their story and are missing until they return.

    The folder itself is not touched. Scanned again, its files find their photos by content. Returns how many
    photos are missing now.
    """
    photo_ids = set(PhotoFile.objects.filter(root=root).values_list("photo_id", flat=True))
    before = {"name": root.name, "path": root.display_path, "files": root.files.count()}
    AuditEvent.objects.create(
        actor_id=actor_id, action="forget_root", object_type="root", object_id=root.pk, before=before
    )
    root.delete()
    elsewhere = PhotoFile.objects.present().filter(photo=OuterRef("pk"))
    gone = Photo.objects.filter(pk__in=photo_ids, missing_since__isnull=True).exclude(Exists(elsewhere))
    missing = gone.update(missing_since=timezone.now())
    regroup(photo_ids=photo_ids)
    return missing
