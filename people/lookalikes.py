"""People who may be one and the same: candidates for a merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.db.models import Count

from library.models import EmbeddingSpace
from people.access import faces_for, people_for
from people.models import Face, Person
from people.rules import not_same_pairs
from people.scores import scale_of

if TYPE_CHECKING:
    from people.access import User

MOST_CANDIDATES: Final = 10

# How alike two people are: by the two of their faces that are most alike.
_ALIKE: Final = """
SELECT person_id, max(similarity) FROM (
    SELECT other.person_id, mine.id, 1 - min(theirs.embedding <=> own.embedding) AS similarity
    FROM people_prototype mine
    JOIN people_face own ON own.id = mine.face_id AND own.space_id = %(space)s
    JOIN people_prototype other ON other.person_id <> mine.person_id
    JOIN people_face theirs ON theirs.id = other.face_id AND theirs.space_id = own.space_id
    WHERE mine.person_id = %(person)s
    GROUP BY other.person_id, mine.id
) nearest
GROUP BY person_id HAVING max(similarity) >= %(low)s
ORDER BY max(similarity) DESC, person_id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class MergeCandidate:
    """Somebody who looks like the person. ``similarity`` is the largest cosine between their faces.

    ``probability``: that these two faces are one person, by the space's curve. ``photos``: how many photos
    the user sees of the candidate.
    """

    person: Person
    similarity: float
    probability: float
    photos: int


def merge_candidates(person: Person, user: User) -> list[MergeCandidate]:
    """Whom this person may be the same as, the likeliest first; only people this user may know of.

    Never two people who are not the same, nor two who were confirmed in one photo.
    """
    space = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.FACE)
    if space is None:
        return []
    scale = scale_of(space)
    values = {"person": person.pk, "space": space.pk, "low": scale.now.low, "most": 5 * MOST_CANDIDATES}
    with connection.cursor() as cursor:
        cursor.execute(_ALIKE, values)
        alike = dict(cursor.fetchall())
    others = people_for(user).filter(pk__in=alike.keys() - _ruled_out(person))
    photos = faces_for(user).filter(person__in=alike).order_by().values("person")
    counted = dict(photos.annotate(photos=Count("photo", distinct=True)).values_list("person", "photos"))
    people = sorted(others, key=lambda one: -alike[one.pk])[:MOST_CANDIDATES]
    chances = scale.probabilities(
        [alike[one.pk] for one in people], [-1.0] * len(people), [0.5] * len(people), [0.0] * len(people)
    )
    return [
        MergeCandidate(one, round(alike[one.pk], 4), round(chance, 4), counted.get(one.pk, 0))
        for one, chance in zip(people, chances, strict=True)
    ]


def _ruled_out(person: Person) -> set[int]:
    """People of whom somebody said they are not the same, or who stand beside the person in a photo."""
    pairs = not_same_pairs([person.pk])
    beside = Face.objects.filter(photo__in=Face.objects.filter(person=person).values("photo"))
    confirmed = beside.exclude(person_source=Face.Source.MODEL_GUESS).exclude(person=person)
    found = {pk for pair in pairs for pk in pair}
    return found | set(confirmed.filter(person__isnull=False).values_list("person", flat=True).distinct())
