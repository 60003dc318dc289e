"""Photos that show the same picture: finding the pairs, choosing who stands in front, and reading groups.

Two photos are *the same picture* when their PDQ hashes differ in at most SAME_PICTURE_THRESHOLD of 256 bits;
PDQ's authors advise 31 and advise against comparing hashes of quality below 50, which stand for pictures with
too little in them ("The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook
2019). Within DUPLICATE_THRESHOLD they are *nearly identical*, and all but the best hide behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from library.components import connected_components
from library.models import DuplicatePair, Photo, PhotoHash

MIN_QUALITY = 50
#: How many nearest hashes are looked at for one photo. A bigger family is still found whole, since each of
#: its members looks for itself.
NEIGHBOURS = 64
#: Serialises regrouping: two overlapping groups must not be decided from two half-views of the pairs.
_REGROUP_LOCK = 0x48454952

# The lateral order lets pgvector walk its HNSW index once for each photo. What fails is judged by the stored
# hashes and not by absence from the nearest ones; what a person decided is kept.
_FIND_PAIRS = """
WITH near AS (
    SELECT DISTINCT
        least(mine.photo_id, other.photo_id) AS first_id,
        greatest(mine.photo_id, other.photo_id) AS second_id,
        other.distance
    FROM library_photohash mine
    CROSS JOIN LATERAL (
        SELECT hash.photo_id, (hash.pdq <~> mine.pdq)::int AS distance
        FROM library_photohash hash
        WHERE hash.quality >= %(quality)s AND hash.photo_id <> mine.photo_id
        ORDER BY hash.pdq <~> mine.pdq
        LIMIT %(neighbours)s
    ) other
    WHERE mine.photo_id = ANY(%(ids)s) AND mine.quality >= %(quality)s AND other.distance <= %(limit)s
), removed AS (
    DELETE FROM library_duplicatepair pair
    WHERE (pair.first_id = ANY(%(ids)s) OR pair.second_id = ANY(%(ids)s))
        AND pair.decision = 'undecided' AND pair.kind = 'same_picture'
        AND NOT EXISTS (
            SELECT FROM library_photohash one, library_photohash two
            WHERE one.photo_id = pair.first_id AND two.photo_id = pair.second_id
                AND least(one.quality, two.quality) >= %(quality)s AND one.pdq <~> two.pdq <= %(limit)s
        )
    RETURNING 1
), written AS (
    INSERT INTO library_duplicatepair AS pair (first_id, second_id, distance, kind, decision)
    SELECT first_id, second_id, distance, 'same_picture', 'undecided' FROM near ORDER BY first_id, second_id
    ON CONFLICT (first_id, second_id) DO UPDATE SET distance = excluded.distance
    WHERE pair.distance <> excluded.distance
    RETURNING 1
)
SELECT (SELECT count(*) FROM near), (SELECT count(*) FROM written), (SELECT count(*) FROM removed)
"""

_REACHABLE = """
WITH RECURSIVE reached (id) AS (
    SELECT unnest(%(ids)s::bigint[])
    UNION
    SELECT CASE WHEN pair.first_id = reached.id THEN pair.second_id ELSE pair.first_id END
    FROM reached
    JOIN library_duplicatepair pair ON reached.id IN (pair.first_id, pair.second_id)
    WHERE pair.decision <> 'different' AND (pair.distance <= %(limit)s OR pair.decision = 'same')
)
SELECT id FROM reached
"""


@dataclass(frozen=True, slots=True)
class PairChanges:
    """What ``find_pairs`` did: pairs that hold, rows written (new or with a new distance), rows removed."""

    holding: int
    written: int
    removed: int


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A photo of a group; ``distance`` in bits to the photo it is compared with, None for not measured."""

    photo: Photo
    distance: int | None


@transaction.atomic
def find_pairs(*, photo_ids: Collection[int], limit: int | None = None) -> PairChanges:
    """Bring the pairs of these photos in line with their stored hashes.

    ``limit`` is the largest Hamming distance (0..256) of a pair, by default SAME_PICTURE_THRESHOLD.
    """
    values: dict[str, Any] = {
        "ids": list(photo_ids),
        "limit": settings.SAME_PICTURE_THRESHOLD if limit is None else limit,
        "quality": MIN_QUALITY,
        "neighbours": NEIGHBOURS,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true),"
            " set_config('hnsw.iterative_scan', 'strict_order', true)",
            [str(2 * NEIGHBOURS)],
        )
        cursor.execute(_FIND_PAIRS, values)
        holding, written, removed = cursor.fetchone()
    return PairChanges(holding, written, removed)


@transaction.atomic
def regroup(*, photo_ids: Collection[int]) -> int:
    """Choose anew who stands in front in every group of nearly identical photos these belong or belonged to.

    The primary is the photo with the most pixels, then the largest file, then the lowest id, among those
    that can be shown. Returns how many photos changed their place. Call it again when photos vanish or
    return.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_REGROUP_LOCK])
    ids = _reachable(_with_old_groups(photo_ids), settings.DUPLICATE_THRESHOLD)
    pairs = _holding(settings.DUPLICATE_THRESHOLD).filter(first__in=ids, second__in=ids)
    photos = {photo.pk: photo for photo in Photo.objects.filter(pk__in=ids).annotate(size=Max("files__size"))}
    changed = []
    for group in connected_components(photos, pairs.values_list("first_id", "second_id")):
        primary, *others = sorted((photos[pk] for pk in group), key=_best_first)
        wanted = {primary.pk: None} | {other.pk: primary.pk for other in others}
        for photo in (primary, *others):
            if photo.duplicate_of_id != wanted[photo.pk]:
                photo.duplicate_of_id = wanted[photo.pk]
                changed.append(photo)
    Photo.objects.bulk_update(changed, ["duplicate_of"], batch_size=500)
    return len(changed)


def hashed_photo_ids() -> QuerySet[PhotoHash, int]:
    """The ids of all photos that have a hash, ascending."""
    return PhotoHash.objects.order_by("photo_id").values_list("photo_id", flat=True)


def group_of(photo: Photo, among: QuerySet[Photo]) -> list[GroupMember]:
    """The other photos that show this picture, closest first; only photos in ``among`` appear.

    A photo that hangs on this one through another only has no measured distance and comes last.
    """
    ids = _reachable([photo.pk], settings.SAME_PICTURE_THRESHOLD) - {photo.pk}
    distances = {
        second if first == photo.pk else first: distance
        for first, second, distance in DuplicatePair.objects.of(photo.pk)
        .standing()
        .values_list("first_id", "second_id", "distance")
    }
    members = [GroupMember(other, distances.get(other.pk)) for other in among.filter(pk__in=ids)]
    return sorted(members, key=lambda m: (m.distance is None, m.distance or 0, m.photo.pk))


def same_picture_groups(among: QuerySet[Photo]) -> list[list[int]]:
    """All groups of the same picture among these photos as lists of ids, the latest found first.

    One query that reads two numbers a pair; photos are loaded by ``group_members`` for one page of groups.
    """
    visible = among.order_by().values("pk")
    pairs = _holding(settings.SAME_PICTURE_THRESHOLD).filter(first__in=visible, second__in=visible)
    groups = connected_components((), pairs.values_list("first_id", "second_id"))
    return sorted(groups, key=lambda group: -group[-1])


def group_members(groups: Iterable[list[int]], among: QuerySet[Photo]) -> list[list[GroupMember]]:
    """The photos of each group, the best first; distances are to that best one."""
    groups = list(groups)
    ids = [pk for group in groups for pk in group]
    photos = {photo.pk: photo for photo in among.filter(pk__in=ids).annotate(size=Max("files__size"))}
    pairs = DuplicatePair.objects.filter(first__in=ids, second__in=ids)
    distances = {(a, b): bits for a, b, bits in pairs.values_list("first_id", "second_id", "distance")}
    found = []
    for group in groups:
        best, *others = sorted((photos[pk] for pk in group), key=_best_first)
        members = [GroupMember(best, None)]
        for other in others:
            key = (min(best.pk, other.pk), max(best.pk, other.pk))
            members.append(GroupMember(other, distances.get(key)))
        found.append(members)
    return found


def _holding(limit: int) -> QuerySet[DuplicatePair]:
    same = Q(distance__lte=limit) | Q(decision=DuplicatePair.Decision.SAME)
    return DuplicatePair.objects.standing().filter(same)


def _with_old_groups(photo_ids: Collection[int]) -> set[int]:
    ids = set(photo_ids)
    fronts = set(
        Photo.objects.filter(pk__in=ids, duplicate_of__isnull=False).values_list("duplicate_of_id", flat=True)
    )
    ids |= {pk for pk in fronts if pk is not None}
    return ids | set(Photo.objects.filter(duplicate_of__in=ids).values_list("pk", flat=True))


def _reachable(photo_ids: Collection[int], limit: int) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(_REACHABLE, {"ids": list(photo_ids), "limit": limit})
        return {pk for (pk,) in cursor.fetchall()}


def _best_first(photo: Photo) -> tuple[bool, int, int, int]:
    shown = photo.renditions_at is not None and photo.missing_since is None
    pixels = (photo.width or 0) * (photo.height or 0)
    size: int = getattr(photo, "size", None) or 0
    return (not shown, -pixels, -size, photo.pk)
