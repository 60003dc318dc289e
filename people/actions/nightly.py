"""Everything anew: curves, prototypes, names and questions, groups. For the night, and for commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from library.models import EmbeddingSpace
from people.actions.cluster import Clustered, cluster_all
from people.actions.dates import withdraw_early_names
from people.actions.prototypes import choose_prototypes
from people.actions.recognise import Recognised, recognise
from people.calibrating import recalibrate
from people.models import Face, FaceLabel, Person

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What was done: people whose prototypes were chosen, photos looked at, curves learnt, and the faces."""

    people: int
    photos: int
    calibrated: int
    faces: Recognised


def never() -> bool:
    """The stop signal of a run to the end."""
    return False


def recompute(
    *,
    since: datetime | None = None,
    should_stop: Stop = never,
    on_total: Callable[[int], object] = bool,
    on_progress: Callable[[int], object] = bool,
) -> Recomputed:
    """Learn the curves, choose all prototypes, and decide anew about every open face.

    ``since``: only people about whom something was said since then, and faces found since then. What is done
    stays done when it stops or breaks off; doing it again is harmless. ``on_total`` hears of the number of
    photos, ``on_progress`` of those done just now.
    """
    withdraw_early_names()
    calibrated = sum(recalibrate(space) is not None for space in face_spaces())
    people = _people(since)
    done = 0
    for person in people:
        if should_stop():
            break
        choose_prototypes(person_ids=[person])
        done += 1
    photos = _photos(since)
    on_total(len(photos))
    looked_at = 0

    def count(number: int) -> None:
        nonlocal looked_at
        looked_at += number
        on_progress(number)

    faces = recognise(photo_ids=photos, should_stop=should_stop, on_progress=count)
    return Recomputed(done, looked_at, calibrated, faces)


def cluster_everything(*, should_stop: Stop = never) -> dict[EmbeddingSpace, Clustered]:
    """Group the unknown faces of every space that is not retired."""
    found = {}
    for space in face_spaces():
        if should_stop():
            break
        found[space] = cluster_all(space=space)
    return found


def face_spaces() -> list[EmbeddingSpace]:
    """Spaces with faces, of engines that are in use or may come back."""
    spaces = EmbeddingSpace.objects.filter(kind=EmbeddingSpace.Kind.FACE)
    return list(spaces.exclude(status=EmbeddingSpace.Status.RETIRED).order_by("pk"))


def _people(since: datetime | None) -> list[int]:
    people = Person.objects.active().order_by("pk")
    if since is not None:
        labels = FaceLabel.objects.filter(Q(at__gte=since) | Q(revoked_by__at__gte=since))
        people = people.filter(pk__in={person for _, person in labels.pairs()})
    return list(people.values_list("pk", flat=True))


def _photos(since: datetime | None) -> list[int]:
    faces = Face.objects.filter(
        Q(person_source="") | Q(person_source=Face.Source.MODEL_GUESS),
        status=Face.Status.FACE,
        space__isnull=False,
    )
    if since is not None:
        faces = faces.filter(created_at__gte=since)
    return list(faces.order_by("photo").values_list("photo_id", flat=True).distinct())


def as_data(done: Recomputed) -> dict[str, Any]:
    """For JSON."""
    return {
        "people": done.people,
        "photos": done.photos,
        "calibrated_spaces": done.calibrated,
        "named": done.faces.named,
        "asked": done.faces.asked,
        "unknown": done.faces.unknown,
        "withdrawn": done.faces.withdrawn,
    }
