"""Find or open the embedding space an engine writes into, and let a space answer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import IntegrityError, transaction

from library.models import EmbeddingSpace
from vision.results import SpaceInfo


def space_for(
    kind: str, info: SpaceInfo, *, written_by: str = "", source: Mapping[str, Any] | None = None
) -> EmbeddingSpace:
    """The space of this engine; made when it is new.

    The first space of a kind answers at once. A later one is ``building`` until ``activate`` is called,
    so that the old model answers while the new one fills its space. ``written_by`` is the engine's identity
    and ``source`` what it was chosen by; both are kept with the space.
    """
    space, created = EmbeddingSpace.objects.get_or_create(
        kind=kind, engine=info.engine, model=info.model, defaults={"dimensions": info.dimensions}
    )
    _remember(space, written_by or space.written_by, dict(source or space.source))
    if space.status == EmbeddingSpace.Status.RETIRED:
        # Its engine is back. It answers again once it is complete.
        EmbeddingSpace.objects.filter(pk=space.pk, status=space.status).update(
            status=EmbeddingSpace.Status.BUILDING
        )
        space.refresh_from_db()
    if created and EmbeddingSpace.objects.active(kind) is None:
        _activate_first(space)
    return space


def _remember(space: EmbeddingSpace, written_by: str, source: dict[str, Any]) -> None:
    if (space.written_by, space.source) == (written_by, source):
        return
    EmbeddingSpace.objects.filter(pk=space.pk).update(written_by=written_by, source=source)
    space.written_by, space.source = written_by, source


def _activate_first(space: EmbeddingSpace) -> None:
    """Two workers may open two first spaces at once: the constraint lets one of them win."""
    with suppress(IntegrityError), transaction.atomic():
        EmbeddingSpace.objects.filter(pk=space.pk).update(status=EmbeddingSpace.Status.ACTIVE)
    space.refresh_from_db()


@transaction.atomic
def activate(space: EmbeddingSpace, *, by_hand: bool = False) -> None:
    """Let this space answer from now on; the one before is retired.

    What somebody switched away from by hand does not take over again by itself.
    """
    spaces = EmbeddingSpace.objects.filter(kind=space.kind)
    list(spaces.select_for_update().order_by("pk"))  # two switches at once wait for each other
    before = spaces.filter(status=EmbeddingSpace.Status.ACTIVE).exclude(pk=space.pk)
    if by_hand:
        before.update(promotes=False)
    before.update(status=EmbeddingSpace.Status.RETIRED)
    spaces.filter(pk=space.pk).update(status=EmbeddingSpace.Status.ACTIVE, promotes=True)
