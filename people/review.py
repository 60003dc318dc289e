"""What to ask about faces, and in which order: first what settles most, then what is least sure.

A question is about a group of faces that look like one person: either somebody is suggested for them ("Is
this Anna?"), or nobody is ("Who is this?"). All faces of one person's suggestion in one group are one
question, so one answer settles them all; so does a name for a group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Q,
    QuerySet,
    When,
    Window,
)
from django.db.models.functions import Abs, RowNumber

from library.access import hidden_roots
from people.access import faces_for, people_for
from people.models import Face, FaceCluster, FaceLabel, Suggestion

if TYPE_CHECKING:
    from people.access import User

#: Faces of one question; a bigger group is asked about again, with what was learnt.
MOST_FACES: Final = 60


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask.

    ``kind``: ``suggestion`` asks whether the faces are ``person_id``, ``cluster`` asks who they are (then
    there is no person and no probability). ``face_ids``: the faces the answer is about, the cover first, then
    from good to bad, at most MOST_FACES. ``settles``: how many faces one answer settles. ``reasons``: of the
    cover, dictionaries of kind, text and weight; empty for those who may not see all folders.
    """

    kind: Literal["suggestion", "cluster"]
    face_ids: tuple[int, ...]
    cover_id: int
    person_id: int | None
    cluster_id: int | None
    probability: float | None
    reasons: tuple[Mapping[str, Any], ...]
    settles: int


#: Person, group, and face when it is in no group.
_Key: TypeAlias = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class _Group:
    """Faces of one group for which the same person is suggested, or nobody."""

    person_id: int | None
    cluster_id: int | None
    face_id: int | None
    faces: int
    probability: float | None


def questions(user: User, limit: int = 20, *, person_id: int | None = None) -> list[Question]:
    """The next questions for this user, about faces and people they may see; always the same few queries.

    ``person_id``: only whether faces are this person.
    """
    suggested = _suggested(user, person_id)
    groups = _groups_of(suggested, limit)
    if person_id is None:
        groups = sorted([*groups, *_clusters(user, suggested, limit)], key=_order)[:limit]
    return _questions(user, groups)


def open_counts(user: User) -> dict[str, int]:
    """How many visible faces are ``suggested`` to be somebody, ``grouped`` without a name, or ``single``."""
    # Counted apart from each other: a join would look up the suggestions of every unknown face.
    groups = {
        "grouped": Count("pk", filter=Q(cluster__isnull=False)),
        "single": Count("pk", filter=Q(cluster=None)),
    }
    unknown = _unknown(user).aggregate(**groups)
    asked = _unknown(user).filter(Exists(Suggestion.objects.filter(face=OuterRef("pk"), rank=1)))
    suggested = asked.aggregate(**groups)
    return {kind: unknown[kind] - suggested[kind] for kind in groups} | {"suggested": sum(suggested.values())}


def single_faces(user: User) -> QuerySet[Face]:
    """Unknown faces in no group and without a suggestion, the best first: nothing is out of reach."""
    alone = _unknown(user).filter(cluster__isnull=True, suggestions__isnull=True)
    return alone.defer("embedding", "landmarks").order_by("-quality", "-pk")


def _unknown(user: User) -> QuerySet[Face]:
    return faces_for(user).filter(person__isnull=True, status=Face.Status.FACE)


def _suggested(user: User, person_id: int | None) -> QuerySet[Suggestion]:
    """The likeliest visible suggestion of every open face."""
    found = _askable().filter(face__in=_unknown(user).values("pk"), person__in=people_for(user))
    return found if person_id is None else found.filter(person=person_id)


def _askable() -> QuerySet[Suggestion]:
    """First suggestions that no answer has overtaken; such are stored until the face is looked at again."""
    whom = Q(person=OuterRef("person")) | Q(person__merged_into=OuterRef("person"))
    rejected = FaceLabel.objects.in_force().filter(
        whom, face=OuterRef("face"), verdict=FaceLabel.Verdict.REJECTED
    )
    beside = Face.objects.filter(photo=OuterRef("face__photo"), person=OuterRef("person"))
    return Suggestion.objects.filter(~Exists(rejected), ~Exists(beside), rank=1)


def _groups_of(suggested: QuerySet[Suggestion], limit: int) -> list[_Group]:
    """Suggestions of one person in one group together; each single face by itself."""
    rows = (
        suggested.order_by()
        .annotate(alone=Case(When(face__cluster__isnull=True, then=F("face"))))
        .values("person", "face__cluster", "alone")
        .annotate(faces=Count("pk"), chance=Avg("probability"), unsure=Abs(Avg("probability") - 0.5))
        .order_by("-faces", "unsure", "person", "face__cluster", "alone")[:limit]
    )
    return [
        _Group(row["person"], row["face__cluster"], row["alone"], row["faces"], row["chance"]) for row in rows
    ]


def _clusters(user: User, suggested: QuerySet[Suggestion], limit: int) -> list[_Group]:
    """Groups of faces for which nobody is suggested."""
    # The few that are ignored are looked up once; a join would look up the group of every face.
    ignored = FaceCluster.objects.filter(ignored=True)
    unnamed = _unknown(user).filter(cluster__isnull=False).exclude(cluster__in=ignored.values("pk"))
    rows = (
        unnamed.exclude(pk__in=suggested.values("face"))
        .order_by()
        .values("cluster")
        .annotate(faces=Count("pk"), best=Max("quality"))
        .order_by("-faces", "-best", "cluster")[:limit]
    )
    return [_Group(None, row["cluster"], None, row["faces"], None) for row in rows]


def _order(group: _Group) -> tuple[int, float, int, int, int]:
    """Most faces first; of equals the least sure, and a name for nobody-yet before a doubt."""
    unsure = abs(group.probability - 0.5) if group.probability is not None else 0.0
    return (-group.faces, unsure, group.person_id or 0, group.cluster_id or 0, group.face_id or 0)


def _questions(user: User, groups: Sequence[_Group]) -> list[Question]:
    faces = _faces_of(user, groups)
    may_know_why = not hidden_roots(user)
    asked = []
    for group in groups:
        mine = faces.get((group.person_id, group.cluster_id, group.face_id), [])[:MOST_FACES]
        if not mine:
            continue
        cover, why = mine[0]
        asked.append(
            Question(
                kind="cluster" if group.person_id is None else "suggestion",
                face_ids=tuple(pk for pk, _ in mine),
                cover_id=cover,
                person_id=group.person_id,
                cluster_id=group.cluster_id,
                probability=group.probability,
                reasons=tuple(why.reasons) if why and group.person_id and may_know_why else (),
                settles=group.faces,
            )
        )
    return asked


def _faces_of(user: User, groups: Sequence[_Group]) -> dict[_Key, list[tuple[int, Suggestion | None]]]:
    """The faces of each group, from good to bad, with what is suggested for them."""
    clusters = {group.cluster_id for group in groups if group.cluster_id is not None}
    singles = {group.face_id for group in groups if group.face_id is not None}
    wanted = _unknown(user).filter(Q(cluster__in=clusters) | Q(pk__in=singles))
    # A group may have thousands of faces: the best of each suggestion in it are enough.
    best_first = (F("quality").desc(), F("pk").asc())
    wanted = wanted.annotate(
        first=FilteredRelation("suggestions", condition=Q(suggestions__rank=1)),
        place=Window(RowNumber(), partition_by=[F("cluster"), F("first__person")], order_by=best_first),
    ).filter(Q(place__lte=MOST_FACES) | Q(cluster__isnull=True))
    rows = list(wanted.order_by(*best_first).values_list("pk", "cluster", "first"))
    suggested = [first for _, _, first in rows if first]
    asked = _askable().filter(pk__in=suggested, person__in=people_for(user))
    best = {suggestion.face_id: suggestion for suggestion in asked}
    faces: dict[_Key, list[tuple[int, Suggestion | None]]] = defaultdict(list)
    for pk, cluster, _ in rows:
        suggestion = best.get(pk)
        person = suggestion.person_id if suggestion else None
        faces[person, cluster, pk if cluster is None else None].append((pk, suggestion))
    return faces
