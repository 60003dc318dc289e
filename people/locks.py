"""Who may write about people at the same time, so that nobody ever waits in a circle.

Every writer takes the shared gate first and then all faces of the photos concerned in the order of their
keys. What changes a person as a whole (merges, birth dates, undo) takes the gate alone: it may touch any
face. A transaction that needs both takes it alone from the start. Whoever locks photos does so before the
gate.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import connection

from people.models import Face

#: The key of PostgreSQL's advisory lock: "people" as bytes.
_GATE: Final = int.from_bytes(b"people", "big")


def enter_gate() -> None:
    """Write beside others until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_GATE])


def enter_alone() -> None:
    """Write alone until the transaction ends: waits for those inside, lets nobody in meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_GATE])


def lock_photos_of(face_ids: Collection[int]) -> list[Face]:
    """Lock all faces of the photos that these faces are in: nobody else answers there meanwhile.

    Faces come without embeddings and landmarks, ordered by key.
    """
    photos = Face.objects.filter(pk__in=face_ids).values("photo")
    return _locked(photo__in=photos)


def lock_faces_in(photo_ids: Collection[int]) -> list[Face]:
    """Lock all faces of these photos; as ``lock_photos_of``."""
    return _locked(photo__in=photo_ids)


def _locked(**which: object) -> list[Face]:
    faces = Face.objects.filter(**which).defer("embedding", "landmarks")
    return list(faces.select_for_update(no_key=True, of=("self",)).order_by("pk"))
