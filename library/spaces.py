"""Find or open the embedding space an engine writes into."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from library.models import EmbeddingSpace, PhotoEmbedding
from vision.results import SpaceInfo


def space_for(kind: str, info: SpaceInfo) -> EmbeddingSpace:
    """The space of this engine; made when it is new.

    The first space of a kind answers at once. A later one is ``building`` until ``activate`` is called,
    so that the old model answers while the new one fills its space.
    """
    space, created = EmbeddingSpace.objects.get_or_create(
        kind=kind, engine=info.engine, model=info.model, defaults={"dimensions": info.dimensions}
    )
    if space.status == EmbeddingSpace.Status.RETIRED:
        # Its engine is back. It answers again once it is complete.
        EmbeddingSpace.objects.filter(pk=space.pk, status=space.status).update(
            status=EmbeddingSpace.Status.BUILDING
        )
        space.refresh_from_db()
    if created and EmbeddingSpace.objects.active(kind) is None:
        _activate_first(space)
    return space


def _activate_first(space: EmbeddingSpace) -> None:
    """Two workers may open two first spaces at once: the constraint lets one of them win."""
    with suppress(IntegrityError), transaction.atomic():
        EmbeddingSpace.objects.filter(pk=space.pk).update(status=EmbeddingSpace.Status.ACTIVE)
    space.refresh_from_db()


@transaction.atomic
def activate(space: EmbeddingSpace) -> None:
    """Let this space answer from now on; the one before is retired."""
    EmbeddingSpace.objects.select_for_update().filter(kind=space.kind, status="active").exclude(
        pk=space.pk
    ).update(status=EmbeddingSpace.Status.RETIRED)
    EmbeddingSpace.objects.filter(pk=space.pk).update(status=EmbeddingSpace.Status.ACTIVE)


def promote_complete(given_up: Collection[int] | QuerySet[Any] = ()) -> None:
    """Let a newer image space answer once every photo of the old one has a vector in it.

    ``given_up`` are ids of photos that will not get one: the new engine failed on them.
    """
    active = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
    building = EmbeddingSpace.objects.filter(
        kind=EmbeddingSpace.Kind.IMAGE, status=EmbeddingSpace.Status.BUILDING
    ).order_by("-pk")
    for space in building:
        done = PhotoEmbedding.objects.filter(space=space).values("photo")
        if active and active.photo_embeddings.exclude(photo__in=done).exclude(photo__in=given_up).exists():
            continue
        activate(space)
        return
