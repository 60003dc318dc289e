"""Look up when, with whom, where and in which folder the people were seen whom faces may belong to.

Every kind is one query for any number of faces; ``people.priors`` says what it means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import connection

from people.priors import COMPANY, FOLDER, KINDS, PLACE, TIME, Circumstances, Reason, Share, reasons

#: How long before and after a photo others count as shot at the same time (hours).
HOURS: Final = 6
#: Half the edge of the field around a place, in degrees of latitude: about a kilometre.
NEARBY: Final = 0.009
#: Photos of a place or folder that are looked at.
ENOUGH: Final = 500

# Of each person the name and the faces; of nobody all faces that have a name. What the last ANALYZE counted
# of these is near enough: counting takes longer than all the rest.
_BASE: Final = """
SELECT person.id, person.name, (SELECT count(*) FROM people_face face WHERE face.person_id = person.id)
FROM people_person person WHERE person.id = ANY(%(people)s || %(company)s)
UNION ALL
SELECT NULL, NULL, CASE WHEN reltuples > 0 THEN reltuples::bigint
    ELSE (SELECT count(*) FROM people_face WHERE person_id IS NOT NULL) END
FROM pg_class WHERE oid = 'face_of_person'::regclass
"""
# The shown photos are in the order of the timeline, which has an index.
_TIME: Final = """
SELECT photo.id, face.person_id, abs(extract(epoch FROM near.taken_local - photo.taken_local))::float8
FROM library_photo photo
JOIN library_photo near ON near.taken_local BETWEEN photo.taken_local - %(span)s::interval
        AND photo.taken_local + %(span)s::interval
    AND near.renditions_at IS NOT NULL AND near.missing_since IS NULL AND near.duplicate_of_id IS NULL
    AND near.id <> photo.id
JOIN people_face face ON face.photo_id = near.id AND face.person_id = ANY(%(people)s)
WHERE photo.id = ANY(%(photos)s) AND photo.taken_source NOT IN ('', 'file')
"""
_COMPANY: Final = """
SELECT mine.person_id, other.person_id, count(*)
FROM people_face mine JOIN people_face other ON other.photo_id = mine.photo_id AND other.id <> mine.id
WHERE mine.person_id = ANY(%(people)s) AND other.person_id = ANY(%(company)s)
GROUP BY mine.person_id, other.person_id
"""
# A share is known well enough from some hundred photos; at home there are thousands. They are chosen first
# and looked at one by one: without statistics the planner would begin with everybody's faces.
_PLACE: Final = """
WITH near AS MATERIALIZED (
    SELECT photo.id AS photo_id, near.id AS near_id
    FROM library_photo photo
    CROSS JOIN LATERAL (
        SELECT near.id FROM library_photo near
        WHERE near.latitude BETWEEN photo.latitude - %(nearby)s AND photo.latitude + %(nearby)s
            AND abs(near.longitude - photo.longitude)
                < %(nearby)s / greatest(cos(radians(photo.latitude)), 0.1)
            AND near.id <> photo.id
        LIMIT %(enough)s
    ) near
    WHERE photo.id = ANY(%(photos)s) AND photo.latitude IS NOT NULL
)
SELECT near.photo_id, face.person_id, count(*)
FROM near JOIN people_face face ON face.photo_id = near.near_id AND face.person_id IS NOT NULL
GROUP BY near.photo_id, face.person_id
"""
# The expression is that of an index (migration 0005); a path may be longer than an index entry.
_FOLDER: Final = """
WITH near AS MATERIALIZED (
    SELECT DISTINCT mine.photo_id, near.photo_id AS near_id
    FROM library_photofile mine
    CROSS JOIN LATERAL (
        SELECT near.photo_id FROM library_photofile near
        WHERE near.root_id = mine.root_id AND near.photo_id <> mine.photo_id
            AND hashtextextended(regexp_replace(near.display_path, '[^/]*$', ''), 0)
                = hashtextextended(regexp_replace(mine.display_path, '[^/]*$', ''), 0)
        LIMIT %(enough)s
    ) near
    WHERE mine.photo_id = ANY(%(photos)s) AND position('/' IN mine.display_path) > 0
)
SELECT near.photo_id, face.person_id, count(*)
FROM near JOIN people_face face ON face.photo_id = near.near_id AND face.person_id IS NOT NULL
GROUP BY near.photo_id, face.person_id
"""


@dataclass(slots=True)
class Surroundings:
    """What was looked up for some photos; ``reasons_for`` reads it."""

    kinds: Collection[str]
    base: Mapping[int, int]
    total: int
    names: Mapping[int, str] = field(default_factory=dict)
    company_of: Mapping[int, Collection[int]] = field(default_factory=dict)
    together: Mapping[tuple[int, int], int] = field(default_factory=dict)
    gaps: Mapping[tuple[int, int], list[float]] = field(default_factory=dict)
    places: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    folders: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    def reasons_for(self, photo_id: int, person_id: int) -> list[Reason]:
        """What speaks for this person in this photo, besides the face."""
        company = [
            (self.names.get(other, "?"), Share(self.together.get((person_id, other), 0), self.base[other]))
            for other in sorted(self.company_of.get(photo_id, ()))
            if other != person_id and other in self.base
        ]
        what = Circumstances(
            base=Share(self.base.get(person_id, 0), self.total),
            gaps=self.gaps.get((photo_id, person_id), ()),
            company=company,
            place=_share(self.places.get(photo_id), person_id),
            folder=_share(self.folders.get(photo_id), person_id),
        )
        return reasons(what, self.kinds)


def look_around(
    photo_ids: Collection[int], person_ids: Collection[int], company_of: Mapping[int, Collection[int]]
) -> Surroundings:
    """Look up everything PEOPLE_PRIORS allows about these people around these photos.

    ``company_of``: the people who are named in each photo.
    """
    kinds = [kind for kind in KINDS if kind in settings.PEOPLE_PRIORS]
    if not kinds or not photo_ids or not person_ids:
        return Surroundings((), {}, 0)
    company = sorted({one for people in company_of.values() for one in people})
    values = {
        "photos": list(photo_ids),
        "people": list(person_ids),
        "company": company,
        "span": f"{HOURS} hours",
        "nearby": NEARBY,
        "enough": ENOUGH,
    }
    known = _rows(_BASE, values)
    base = {pk: count for pk, _, count in known if pk is not None and count}
    with_company = COMPANY in kinds and company
    pairs = _rows(_COMPANY, values) if with_company else ()
    return Surroundings(
        kinds=kinds,
        base=base,
        total=max(sum(count for pk, _, count in known if pk is None), sum(base.values())),
        names={pk: name for pk, name, _ in known if pk is not None},
        company_of=company_of,
        together={(mine, other): count for mine, other, count in pairs},
        gaps=_gaps(values) if TIME in kinds else {},
        places=_by_photo(_rows(_PLACE, values)) if PLACE in kinds else {},
        folders=_by_photo(_rows(_FOLDER, values)) if FOLDER in kinds else {},
    )


def _gaps(values: Mapping[str, Any]) -> dict[tuple[int, int], list[float]]:
    gaps: dict[tuple[int, int], list[float]] = defaultdict(list)
    for photo, person, gap in _rows(_TIME, values):
        gaps[photo, person].append(gap)
    return gaps


def _share(counts: Mapping[int, int] | None, person_id: int) -> Share | None:
    return Share(counts.get(person_id, 0), sum(counts.values())) if counts else None


def _by_photo(rows: Sequence[Any]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for photo, person, count in rows:
        found[photo][person] = count
    return found


def _rows(statement: str, values: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
