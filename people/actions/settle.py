"""After an answer: what it teaches about the faces nearby."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from library.models import EmbeddingSpace
from people.actions.cluster import recount_clusters
from people.actions.prototypes import choose_prototypes
from people.actions.recognise import Recognised, recognise
from people.models import Face, FaceLabel, PeopleEvent, Person, Suggestion
from people.scores import scale_of

#: Photos that are looked at again after one answer; the nightly run looks at all.
MOST_PHOTOS: Final = 2000
#: What is no answer about whose face it is, and what the program did itself, teaches nothing.
TEACHING: Final = (
    PeopleEvent.Kind.CONFIRM,
    PeopleEvent.Kind.REJECT,
    PeopleEvent.Kind.ASSIGN,
    PeopleEvent.Kind.UNASSIGN,
    PeopleEvent.Kind.CREATE_PERSON,
    PeopleEvent.Kind.EDIT,
    PeopleEvent.Kind.PIN,
    PeopleEvent.Kind.UNPIN,
    PeopleEvent.Kind.MERGE,
    PeopleEvent.Kind.SPLIT,
    PeopleEvent.Kind.IGNORE,
    PeopleEvent.Kind.NOT_A_FACE,
    PeopleEvent.Kind.DELETE_BOX,
    PeopleEvent.Kind.IMPORT,
    PeopleEvent.Kind.UNDO,
)
#: Answers that only add to what is known of somebody: what was guessed before stands all the more.
_ADDING: Final = (PeopleEvent.Kind.CONFIRM, PeopleEvent.Kind.CREATE_PERSON, PeopleEvent.Kind.PIN)
#: New prototypes whose surroundings are searched: each costs a walk over all open faces.
MOST_NEW: Final = 12
#: A page learns from the answer given on it within this time.
GRACE: Final = timedelta(seconds=30)

# Open faces that the new prototypes are like enough to ask.
_NEAR: Final = """
SELECT DISTINCT face.photo_id
FROM people_face known
JOIN people_face face ON face.space_id = known.space_id AND face.status = 'face'
    AND face.person_source IN ('', 'model_guess')
WHERE known.id = ANY(%(known)s) AND known.space_id = %(space)s
    AND face.embedding <=> known.embedding <= %(distance)s
LIMIT %(most)s
"""


def unsettled() -> QuerySet[PeopleEvent]:
    """Answers nothing was learnt from yet, the oldest first."""
    return PeopleEvent.objects.filter(kind__in=TEACHING, settled__isnull=True).order_by("pk")


def left_unsettled() -> QuerySet[PeopleEvent]:
    """Those that no page learns from any more: it would have begun by now."""
    return unsettled().filter(at__lt=timezone.now() - GRACE)


def settle(event: PeopleEvent) -> int:
    """Learn from an answer: how many other faces have a name, or a better one, because of it.

    Chooses the prototypes of the people it is about anew and decides again about the faces that are like
    them, those that were asked about with these people, and the others of the same photos. Done once: later
    calls give the same number. What breaks off is done again; doing it twice is harmless.
    """
    known = PeopleEvent.objects.filter(pk=event.pk).values_list("settled", flat=True).first()
    if known is not None:
        return known
    done = _learn(event)
    PeopleEvent.objects.filter(pk=event.pk, settled__isnull=True).update(settled=done.named)
    return done.named


def _learn(event: PeopleEvent) -> Recognised:
    said = Q(labels__event=event) | Q(labels__revoked_by=event)
    answered = list(Face.objects.filter(said).distinct().values_list("pk", flat=True))
    people = _people_of(event)
    fresh = choose_prototypes(person_ids=people)
    photos = _photos_to_look_at(event, answered, people, fresh)
    done = recognise(photo_ids=photos)
    recount_clusters(face_ids=answered)
    return done


def _people_of(event: PeopleEvent) -> set[int]:
    """Whom it is about, and whom they are now."""
    about = Q(event=event) | Q(revoked_by=event)
    people = set(FaceLabel.objects.filter(about, person__isnull=False).values_list("person_id", flat=True))
    people |= {pk for pk in (event.person_id,) if pk is not None}
    merged = Person.objects.filter(Q(pk__in=people) | Q(merged_into__in=people))
    return people | {pk for pair in merged.values_list("pk", "merged_into") for pk in pair if pk is not None}


def _photos_to_look_at(
    event: PeopleEvent, answered: Collection[int], people: Collection[int], fresh: Collection[int]
) -> list[int]:
    """Photos with open faces to which the answer may matter, those of the answer first."""
    own = Face.objects.filter(pk__in=answered).values_list("photo_id", flat=True)
    asked = Suggestion.objects.filter(person__in=people).values_list("face__photo_id", flat=True)
    found = dict.fromkeys([*own, *asked.order_by("-probability")[:MOST_PHOTOS], *_near(fresh)])
    if event.kind not in _ADDING:
        guessed = Face.objects.filter(person__in=people, person_source=Face.Source.MODEL_GUESS)
        found |= dict.fromkeys(guessed.order_by("-pk").values_list("photo_id", flat=True)[:MOST_PHOTOS])
    return list(found)[:MOST_PHOTOS]


def _near(face_ids: Collection[int]) -> list[int]:
    """Photos with open faces like one of these."""
    found: list[int] = []
    for space in EmbeddingSpace.objects.filter(faces__in=face_ids).distinct():
        values: dict[str, Any] = {
            "known": sorted(face_ids)[:MOST_NEW],
            "space": space.pk,
            "distance": 1.0 - scale_of(space).now.low,
            "most": MOST_PHOTOS,
        }
        with connection.cursor() as cursor:
            cursor.execute(_NEAR, values)
            found += [photo for (photo,) in cursor.fetchall()]
    return found
