"""From one model to the next: how far a space is filled, which one answers, and what may be dropped.

A space of pictures is complete when it has a vector of every photo that has one in the space that answers.
Faces are replaced photo by photo, so a space of faces is complete when its engine was the last to look at
every photo. Photos that cannot be had (set aside, or the new engine failed on them) hold nothing up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from ingest.ledger import EXTRA
from ingest.models import StepRun
from library.engines import registry
from library.models import AuditEvent, EmbeddingSpace, Photo, PhotoEmbedding
from library.spaces import activate
from people.actions.detect import UNSPOKEN
from people.models import Face
from photos_project.logging import get_logger
from search.vector_indexes import forget_index
from vision.errors import EngineUnavailable
from vision.remembered import settings_of
from vision.results import SpaceInfo

logger = get_logger(__name__)

Kind = EmbeddingSpace.Kind
Status = EmbeddingSpace.Status


class SwitchRefused(Exception):  # noqa: N818 - an answer
    """The space cannot be switched to, or not be dropped; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class SpaceState:
    """How a space stands. ``photos`` is what it should know, ``missing`` how many of them it does not.

    ``labelled_elsewhere``: faces that somebody said something about and that lie in other spaces, because
    this engine did not find them. They stay and are shown.
    """

    id: int
    kind: str
    name: str
    dimensions: int
    status: str
    live: bool
    rows: int
    photos: int
    missing: int
    labelled_elsewhere: int = 0

    @property
    def filled(self) -> int:
        """Photos that it knows."""
        return self.photos - self.missing

    @property
    def sentence(self) -> str:
        """What a person has to know about it; empty for a space with which all is as usual."""
        if self.status == Status.ACTIVE:
            return self._behind() if self.missing and not self.live else ""
        if self.status != Status.BUILDING:
            return ""
        if self.missing:
            return (
                f"A new space of {self.kind} vectors is being filled by {self.name}: {self.filled:,} of "
                f"{self.photos:,} photos; the old one answers meanwhile."
            )
        return (
            f"The space of {self.kind} vectors of {self.name} is complete; the old one answers until "
            f"`manage.py switch_space {self.id}`."
        )

    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self) | {"filled": self.filled, "sentence": self.sentence}

    def _behind(self) -> str:
        if self.kind == Kind.FACE:
            return ""  # a newer space is building, and that is told
        return (
            f"{self.missing:,} photos are not found by meaning: the space that answers is that of "
            f"{self.name}, which is not today's engine."
        )


def states(kind: str = "") -> list[SpaceState]:
    """Every space of a kind, or of both."""
    found = EmbeddingSpace.objects.order_by("kind", "pk")
    return [state_of(space) for space in (found.filter(kind=kind) if kind else found)]


def state_of(space: EmbeddingSpace) -> SpaceState:
    """How this space stands."""
    rows = space.faces if space.kind == Kind.FACE else space.photo_embeddings
    # Boxes that people drew and no engine has found are in no space.
    faces = Face.objects.filter(space__isnull=False) if space.kind == Kind.FACE else Face.objects.none()
    others = faces.exclude(space=space)
    return SpaceState(
        id=space.pk,
        kind=space.kind,
        name=f"{space.engine}/{space.model}",
        dimensions=space.dimensions,
        status=space.status,
        live=_is_todays(space),
        rows=rows.count(),
        photos=_known(space).count(),
        missing=_missing(space).count(),
        labelled_elsewhere=others.count() - others.filter(UNSPOKEN).count(),
    )


def unusual() -> list[SpaceState]:
    """The spaces that a person has to know something about; ``sentence`` says what."""
    told = EmbeddingSpace.objects.exclude(status=Status.RETIRED).order_by("kind", "pk")
    # The usual case costs no counting: today's engine writes into the space that answers.
    found = [space for space in told if space.status != Status.ACTIVE or not _is_todays(space)]
    return [state for state in map(state_of, found) if state.sentence]


def promote_complete() -> None:
    """Let the spaces of today's engines answer once they are complete.

    Not those somebody switched away from by hand: these come back by hand only.
    """
    for kind, info in _todays():
        space = EmbeddingSpace.objects.filter(
            kind=kind, engine=info.engine, model=info.model, status=Status.BUILDING, promotes=True
        ).first()
        if space is not None and not _missing(space).exists():
            activate(space)
            logger.info("space.switched", space=str(space))


@transaction.atomic
def switch(space: EmbeddingSpace) -> EmbeddingSpace | None:
    """Let this space answer from now on. Returns the one that answered before.

    Raises SwitchRefused while it is incomplete, or when its model is not here to embed what is searched for.
    """
    before = EmbeddingSpace.objects.active(space.kind)
    if before == space:
        raise SwitchRefused(f"{space} answers already.")
    missing = _missing(space).count()
    if missing:
        raise SwitchRefused(
            f"{space} is incomplete: {missing:,} of {_known(space).count():,} photos are missing. "
            + _way_on(space)
        )
    if space.kind == Kind.IMAGE:
        try:
            registry().text_embedder_for(space.info, space.source)
        except EngineUnavailable as error:
            raise SwitchRefused(f"{space} could not answer: {error}") from error
    activate(space, by_hand=True)
    AuditEvent.objects.create(
        action="switch space",
        object_type="EmbeddingSpace",
        object_id=space.pk,
        before={"active": str(before or "")},
        after={"active": str(space)},
    )
    return before


@transaction.atomic
def drop(space: EmbeddingSpace) -> tuple[int, int]:
    """Delete the rows of a space that does not answer, and the space. Returns rows deleted, rows kept.

    Faces that somebody said something about are kept, and then the space too. Raises SwitchRefused for the
    space that answers and for the one that today's engine fills.
    """
    if space.status == Status.ACTIVE:
        raise SwitchRefused(f"{space} answers: switch to another space first.")
    if _is_todays(space):
        raise SwitchRefused(
            f"{space} is being filled by today's engine. Choose another engine first, or the next run fills "
            "it again."
        )
    faces = Face.objects.filter(space=space)
    deleted = PhotoEmbedding.objects.filter(space=space).count() + faces.filter(UNSPOKEN).count()
    _make_stale(space)
    faces.filter(UNSPOKEN).delete()
    kept = faces.count()
    before = {"space": str(space), "rows": deleted, "kept": kept}
    AuditEvent.objects.create(
        action="drop space", object_type="EmbeddingSpace", object_id=space.pk, before=before
    )
    if not kept:
        forget_index(space.pk)
        space.delete()
    return deleted, kept


def _make_stale(space: EmbeddingSpace) -> None:
    """What is dropped was not looked at: its engine, when it comes back, would skip these photos."""
    step = StepRun.Step.FACES if space.kind == Kind.FACE else StepRun.Step.EMBEDDINGS
    StepRun.objects.filter(_by(_engines_of(space)), step=step).update(engine="")


def _by(engines: set[str]) -> Q:
    """Entries of the ledger made by one of these engines, with or without an extra."""
    extras = (Q(engine__startswith=name + EXTRA) for name in engines)
    return reduce(or_, extras, Q(engine__in=engines))


def _known(space: EmbeddingSpace) -> QuerySet[Photo]:
    """The photos that a complete space knows."""
    if space.kind == Kind.FACE:
        return Photo.objects.filter(steps__step=StepRun.Step.FACES, steps__status=StepRun.Status.DONE)
    vectors = PhotoEmbedding.objects.all()
    if space.status != Status.ACTIVE:
        vectors = vectors.filter(space__kind=Kind.IMAGE, space__status=Status.ACTIVE)
    return Photo.objects.filter(pk__in=vectors.values("photo"))


def _missing(space: EmbeddingSpace) -> QuerySet[Photo]:
    """Those of them that it does not know and that can be had."""
    wanted = _known(space).exclude(state=Photo.State.FAILED)
    by_it = StepRun.objects.filter(_by(_engines_of(space)))
    if space.kind == Kind.FACE:
        return wanted.exclude(steps__in=by_it.filter(step=StepRun.Step.FACES))
    given_up = by_it.filter(step=StepRun.Step.EMBEDDINGS, status=StepRun.Status.FAILED)
    done = PhotoEmbedding.objects.filter(space=space)
    return wanted.exclude(pk__in=done.values("photo")).exclude(pk__in=given_up.values("photo"))


def _engines_of(space: EmbeddingSpace) -> set[str]:
    """Names in the ledger of the engines that write into this space."""
    port = "faces" if space.kind == Kind.FACE else "embedder"
    today = registry().engine_id(port) if _is_todays(space) else None
    return {name for name in (space.written_by, today) if name}


def _is_todays(space: EmbeddingSpace) -> bool:
    return (space.kind, space.info) in set(_todays())


def _todays() -> Iterator[tuple[str, SpaceInfo]]:
    """The spaces that today's engines write into; nothing for an engine that is not live."""
    with suppress(EngineUnavailable):
        yield Kind.IMAGE.value, registry().image_embedder().space
    with suppress(EngineUnavailable):
        yield Kind.FACE.value, registry().faces().space


def _way_on(space: EmbeddingSpace) -> str:
    if _is_todays(space):
        return "`manage.py process` goes on with them."
    settings = settings_of(space.source)
    chosen = f"Set {settings}" if settings else f"Choose {space.engine}/{space.model} in the settings"
    return f"{chosen}, then `manage.py process` goes on with them."
