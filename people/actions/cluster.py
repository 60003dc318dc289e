"""Put faces that nobody knows into groups of one person each, and keep the groups from run to run.

A full run looks at all unknown faces of a space; between two of them new faces join a group, or form one
among themselves. Nothing here touches a label: a group is where faces are shown together, no more.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.models import Q

from library.models import EmbeddingSpace
from people.actions.answers import confirm, ignore
from people.actions.persons import create_person
from people.clustering import hdbscan
from people.locks import enter_alone, enter_gate
from people.models import Face, FaceCluster, PeopleEvent, Person
from people.neighbours import nearest
from people.scores import scale_of
from people.vectors import FaceVectors, load, load_faces

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

#: Three pictures are a group; two may be chance.
MIN_SIZE: Final = 3
MIN_SAMPLES: Final = 2
#: Nearest faces that the groups are made from.
NEIGHBOURS: Final = 16
#: Single faces that new ones are compared with until the next full run.
RECENT_SINGLES: Final = 2000

_UNKNOWN: Final = """
SELECT id, embedding FROM people_face
WHERE space_id = %s AND person_id IS NULL AND status IN ('face', 'ignored') ORDER BY id
"""
_SINGLES: Final = """
SELECT id, embedding FROM (
    SELECT id, embedding FROM people_face
    WHERE space_id = %s AND person_id IS NULL AND status = 'face' AND cluster_id IS NULL
    ORDER BY id DESC LIMIT %s
) single ORDER BY id
"""
_COVERS: Final = """
SELECT cluster.id, cover.embedding
FROM people_facecluster cluster JOIN people_face cover ON cover.id = cluster.cover_id
WHERE cluster.space_id = %s AND cover.space_id = cluster.space_id ORDER BY cluster.id
"""
_MOVE: Final = """
UPDATE people_face face SET cluster_id = moved.cluster_id
FROM unnest(%s::bigint[], %s::bigint[]) AS moved (id, cluster_id)
WHERE face.id = moved.id AND face.cluster_id IS DISTINCT FROM moved.cluster_id
"""


@dataclass(frozen=True, slots=True)
class Clustered:
    """What a run did: faces looked at, groups found (kept and new), faces in groups, faces left single."""

    faces: int
    kept: int
    new: int
    grouped: int

    @property
    def single(self) -> int:
        """Faces in no group."""
        return self.faces - self.grouped


def cluster_all(*, space: EmbeddingSpace) -> Clustered:
    """Group all unknown faces of a space anew. A group that is found again stays the same group.

    Strangers who are ignored are grouped along, so that new pictures of them join them in silence. What is
    written is which group a face is in; the labels are not touched. Faces that got a name meanwhile keep it.
    """
    found = load(_UNKNOWN, [space.pk], space.dimensions)
    names = _groups(found, space)
    photos = _photos_of(found)
    names = _once_a_photo(names, photos, found)
    with transaction.atomic():
        enter_alone()
        return _store(space, found, names)


@transaction.atomic
def cluster_recent(*, space: EmbeddingSpace) -> int:
    """Let recent single faces join the group whose cover they resemble, or form groups among themselves.

    Returns how many found a group. What is missed here the next full run finds.
    """
    enter_alone()
    singles = load(_SINGLES, [space.pk, RECENT_SINGLES], space.dimensions)
    if not len(singles):
        return 0
    joining = _joining(singles, space)
    _move(joining)
    _recount(sorted(set(joining.values())))
    left = ~np.isin(singles.ids, list(joining))
    return len(joining) + _form(FaceVectors(singles.ids[left], singles.vectors[left]), space)


def newest_single(space: EmbeddingSpace) -> int | None:
    """The key of the newest unknown face in no group."""
    singles = Face.objects.filter(space=space, person__isnull=True, status=Face.Status.FACE)
    return singles.filter(cluster__isnull=True).order_by("-pk").values_list("pk", flat=True).first()


@transaction.atomic
def recount_clusters(*, face_ids: Collection[int]) -> None:
    """Bring size, cover and silence of these faces' groups in line with who is still unknown in them."""
    enter_gate()
    clusters = FaceCluster.objects.filter(faces__in=face_ids).distinct()
    _recount(list(clusters.values_list("pk", flat=True)))


def _groups(found: FaceVectors, space: EmbeddingSpace) -> npt.NDArray[np.int_]:
    if not len(found):
        return np.zeros(0, dtype=int)
    scale = scale_of(space)
    floor = (scale.start.low + scale.start.high) / 2
    near = nearest(found.vectors, min(NEIGHBOURS, max(len(found) - 1, 1)), floor=floor)
    return hdbscan(near, min_size=MIN_SIZE, min_samples=MIN_SAMPLES, floor=floor)


def _photos_of(found: FaceVectors) -> dict[int, int]:
    rows = Face.objects.filter(pk__in=found.ids.tolist()).values_list("pk", "photo_id")
    return dict(rows)


def _once_a_photo(
    names: npt.NDArray[np.int_], photos: Mapping[int, int], found: FaceVectors
) -> npt.NDArray[np.int_]:
    """Nobody is in a photo twice: of two faces of a photo in a group the one that fits better stays."""
    names = names.copy()
    order = np.argsort(names, kind="stable")
    starts = np.searchsorted(names[order], np.arange(names.max(initial=-1) + 2))
    for number in range(len(starts) - 1):
        rows = order[starts[number] : starts[number + 1]]
        middle = found.vectors[rows].mean(axis=0)
        fitting = rows[np.argsort(-(found.vectors[rows] @ middle), kind="stable")]
        seen: set[int] = set()
        for row in fitting:
            photo = photos.get(int(found.ids[row]), -1)
            if photo in seen:
                names[row] = -1
            seen.add(photo)
    return names


def _store(space: EmbeddingSpace, found: FaceVectors, names: npt.NDArray[np.int_]) -> Clustered:
    """Match groups to those there were, by the most common faces, and write the differences."""
    unknown = Face.objects.filter(Q(status="face") | Q(status="ignored"), space=space, person__isnull=True)
    before = dict(unknown.values_list("pk", "cluster_id"))
    rows = [row for row, pk in enumerate(found.ids.tolist()) if pk in before]
    members: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if names[row] >= 0:
            members[int(names[row])].append(int(found.ids[row]))
    members = {name: faces for name, faces in members.items() if len(faces) >= MIN_SIZE}
    same = _same_groups(members, before)
    new = [name for name in sorted(members) if name not in same]
    made = FaceCluster.objects.bulk_create(FaceCluster(space=space, key=uuid.uuid4().hex) for _ in new)
    key = same | {name: cluster.pk for name, cluster in zip(new, made, strict=True)}
    moved: dict[int, int | None] = {int(found.ids[row]): None for row in rows}
    moved |= {face: key[name] for name, faces in members.items() for face in faces}
    _move(moved)
    _recount(list(FaceCluster.objects.filter(space=space).values_list("pk", flat=True)))
    FaceCluster.objects.filter(space=space, faces__isnull=True).delete()
    return Clustered(len(rows), len(same), len(new), sum(map(len, members.values())))


def _same_groups(members: Mapping[int, Collection[int]], before: Mapping[int, int | None]) -> dict[int, int]:
    """Which new group is which old one: the pairs with the most faces in common first, each once."""
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for name, faces in members.items():
        for face in faces:
            old = before.get(face)
            if old is not None:
                shared[name, old] += 1
    same: dict[int, int] = {}
    taken: set[int] = set()
    for (name, old), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if name not in same and old not in taken:
            same[name] = old
            taken.add(old)
    return same


def _joining(singles: FaceVectors, space: EmbeddingSpace) -> dict[int, int]:
    """Which face joins which group; a face of a photo that is in the group already does not."""
    covers = load(_COVERS, [space.pk], space.dimensions)
    if not len(covers):
        return {}
    alike = singles.vectors @ covers.vectors.T
    best = alike.argmax(axis=1)
    near = np.flatnonzero(alike.max(axis=1) >= scale_of(space).now.join)
    photos = _photos_of(singles)
    members = Face.objects.filter(photo__in=set(photos.values()), cluster__isnull=False)
    seen = set(members.values_list("photo_id", "cluster_id"))
    joining = {}
    for row in near[np.argsort(-alike[near, best[near]], kind="stable")]:
        face, cluster = int(singles.ids[row]), int(covers.ids[best[row]])
        place = (photos[face], cluster)
        if place not in seen:
            seen.add(place)
            joining[face] = cluster
    return joining


def _form(singles: FaceVectors, space: EmbeddingSpace) -> int:
    """New groups among these faces. Returns how many are in one."""
    names = _once_a_photo(_groups(singles, space), _photos_of(singles), singles)
    formed: dict[int, int] = {}
    for name in range(names.max(initial=-1) + 1):
        faces = singles.ids[names == name].tolist()
        if len(faces) >= MIN_SIZE:
            cluster = FaceCluster.objects.create(space=space, key=uuid.uuid4().hex)
            formed |= dict.fromkeys(faces, cluster.pk)
    _move(formed)
    _recount(sorted(set(formed.values())))
    return len(formed)


def _move(moved: Mapping[int, int | None]) -> None:
    if not moved:
        return
    # In the order of their keys, as everybody locks them.
    ids = sorted(moved)
    list(Face.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [ids, [moved[pk] for pk in ids]])


def _recount(cluster_ids: Collection[int]) -> None:
    """Sizes, and a cover in the middle of each group among the good faces.

    A group is ignored while most of its faces are: whoever joins strangers is one of them.
    """
    clusters = list(
        FaceCluster.objects.select_for_update(no_key=True, of=("self",))
        .select_related("space")
        .filter(pk__in=cluster_ids)
        .order_by("pk")
    )
    faces: dict[int, list[tuple[int, float]]] = defaultdict(list)
    ignored: dict[int, int] = defaultdict(int)
    rows = Face.objects.filter(cluster__in=cluster_ids, person__isnull=True).order_by("pk")
    for cluster_id, pk, quality, status in rows.values_list("cluster_id", "pk", "quality", "status"):
        ignored[cluster_id] += status == Face.Status.IGNORED
        if status in (Face.Status.FACE, Face.Status.IGNORED):
            faces[cluster_id].append((pk, quality))
    for cluster in clusters:
        mine = faces[cluster.pk]
        cluster.size = len(mine) - ignored[cluster.pk]
        cluster.ignored = 2 * ignored[cluster.pk] > len(mine)
        if cluster.cover_id not in {pk for pk, _ in mine}:
            cluster.cover_id = _middle(mine, cluster.space.dimensions)
    FaceCluster.objects.bulk_update(clusters, ["size", "cover", "ignored"], batch_size=500)


def _middle(faces: Collection[tuple[int, float]], dimensions: int) -> int | None:
    """The face that is most like all others, of good quality."""
    if not faces:
        return None
    loaded = load_faces([pk for pk, _ in faces], dimensions)
    quality = np.array([quality for _, quality in sorted(faces)])
    typical = loaded.vectors @ loaded.vectors.mean(axis=0)
    return int(loaded.ids[int(np.argmax(typical * (0.5 + quality)))])


def name_cluster(
    *, cluster: FaceCluster, by: By, person: Person | None = None, name: str = ""
) -> PeopleEvent:
    """All unknown faces of a group are this person, or a new one of this name; undone like any answer.

    Faces that may not be (rejected, twice in a photo, before the birth) are left out and named in
    ``event.data["left_out"]``. Raises what ``people.actions.answers.confirm`` raises.
    """
    faces = unknown_faces(cluster)
    if person is None:
        return create_person(name=name, face_ids=faces, by=by, leave_out=True)
    return confirm(face_ids=faces, person=person, by=by, leave_out=True)


def ignore_cluster(*, cluster: FaceCluster, by: By) -> PeopleEvent:
    """Nobody the family wants to know: these faces are not asked about, nor is whoever joins them."""
    return ignore(face_ids=unknown_faces(cluster), by=by)


def unknown_faces(cluster: FaceCluster) -> list[int]:
    """The faces of a group that nobody has answered."""
    faces = Face.objects.filter(cluster=cluster, person__isnull=True, status=Face.Status.FACE)
    return list(faces.order_by("pk").values_list("pk", flat=True))
