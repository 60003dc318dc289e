"""Shots of one burst: pairs of kind ``burst``, each shot with the one before and the one after it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from library.models import DuplicatePair, Photo, PhotoQuerySet

#: Shots that a camera calls one burst are taken within this time; a name may return after years.
MARKED_SECONDS: Final = 60
#: Shots that nobody marked are a burst within this time, when they look alike.
UNMARKED_SECONDS: Final = 1
#: Bits in which the hashes of unmarked shots may differ. Unrelated pictures differ in 128 with a deviation
#: of 8, so this is six deviations away from chance.
ALIKE: Final = 80

_SAME_BURST: Final = """
    other.camera_make = mine.camera_make AND other.camera_model = mine.camera_model
    AND other.camera_model <> ''
    AND other.taken_local >= mine.taken_local - make_interval(secs => %(marked)s)
    AND other.taken_local <= mine.taken_local + make_interval(secs => %(marked)s)
    AND (
        (mine.burst <> '' AND other.burst = mine.burst)
        OR (
            abs(extract(epoch FROM other.taken_local - mine.taken_local)) <= %(unmarked)s
            AND (hash.pdq <~> mine.pdq) <= %(alike)s
            -- Of the very same moment are copies and the JPEG of a RAW, unless they clearly differ.
            AND (other.taken_local <> mine.taken_local OR (hash.pdq <~> mine.pdq) > %(same)s)
        )
    )
"""
_FIND: Final = f"""
WITH mine AS (
    SELECT photo.*, hash.pdq FROM library_photo photo
    LEFT JOIN library_photohash hash ON hash.photo_id = photo.id
    WHERE photo.id = ANY(%(ids)s) AND photo.taken_local IS NOT NULL
), near AS (
    SELECT DISTINCT
        least(mine.id, next.id) AS first_id, greatest(mine.id, next.id) AS second_id,
        coalesce((next.pdq <~> mine.pdq)::int, 256) AS distance
    FROM mine CROSS JOIN LATERAL (
        (
            SELECT other.id, hash.pdq
            FROM library_photo other LEFT JOIN library_photohash hash ON hash.photo_id = other.id
            WHERE {_SAME_BURST} AND (other.taken_local, other.id) > (mine.taken_local, mine.id)
            ORDER BY other.taken_local, other.id LIMIT 1
        ) UNION ALL (
            SELECT other.id, hash.pdq
            FROM library_photo other LEFT JOIN library_photohash hash ON hash.photo_id = other.id
            WHERE {_SAME_BURST} AND (other.taken_local, other.id) < (mine.taken_local, mine.id)
            ORDER BY other.taken_local DESC, other.id DESC LIMIT 1
        )
    ) next
)
INSERT INTO library_duplicatepair AS pair (first_id, second_id, distance, kind, decision)
SELECT first_id, second_id, distance, 'burst', 'undecided' FROM near ORDER BY first_id, second_id
ON CONFLICT (first_id, second_id) DO UPDATE SET kind = 'burst', distance = excluded.distance
"""  # noqa: S608 - put together from the two texts above

_REACHABLE: Final = """
WITH RECURSIVE reached (id) AS (
    SELECT %(id)s::bigint
    UNION
    SELECT CASE WHEN pair.first_id = reached.id THEN pair.second_id ELSE pair.first_id END
    FROM reached JOIN library_duplicatepair pair ON reached.id IN (pair.first_id, pair.second_id)
    WHERE pair.kind = 'burst' AND pair.decision <> 'different'
)
SELECT id FROM reached
"""


@transaction.atomic
def find_bursts(*, photo_ids: Collection[int]) -> int:
    """Bring the burst pairs of these photos in line with what is known of them; say how many there are.

    Call it before ``find_pairs``, which finds again what also is the same picture.
    """
    old = DuplicatePair.objects.filter(kind=DuplicatePair.Kind.BURST)
    for side in ("first", "second"):
        undecided = old.filter(decision=DuplicatePair.Decision.UNDECIDED)
        undecided.filter(**{f"{side}__in": list(photo_ids)}).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            _FIND,
            {
                "ids": list(photo_ids),
                "marked": MARKED_SECONDS,
                "unmarked": UNMARKED_SECONDS,
                "alike": ALIKE,
                "same": settings.SAME_PICTURE_THRESHOLD,
            },
        )
        return int(cursor.rowcount)


def burst_of(photo: Photo, among: PhotoQuerySet) -> list[Photo]:
    """The other shots of the photo's burst in the order they were taken; only photos in ``among``."""
    with connection.cursor() as cursor:
        cursor.execute(_REACHABLE, {"id": photo.pk})
        ids = {pk for (pk,) in cursor.fetchall()} - {photo.pk}
    return list(among.filter(pk__in=ids).order_by("taken_local", "pk")) if ids else []
