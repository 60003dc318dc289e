"""Whose face it is, as its labels say: the one place where ``Face.person`` comes from.

Of the labels in force the latest mark (ignored, no face, deleted) leaves nobody's face. Otherwise the face
is whom the strongest source confirmed: people, then other programs, then models; of equal ones the latest. A
pair that is rejected never counts, whoever confirmed it. People who were merged are whom they are now.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import connection, transaction

from people.locks import enter_alone
from people.models import Face

_SAID: Final = """
    SELECT face.id, face.person_id AS was,
        CASE WHEN mark.verdict IS NULL THEN named.person_id END AS person_id,
        CASE WHEN mark.verdict IS NULL THEN coalesce(named.source, '') ELSE '' END AS person_source,
        coalesce(mark.verdict, 'face') AS status
    FROM people_face face
    LEFT JOIN LATERAL (
        SELECT label.verdict FROM people_facelabel label
        WHERE label.face_id = face.id AND label.revoked_by_id IS NULL AND label.person_id IS NULL
        ORDER BY label.id DESC LIMIT 1
    ) mark ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(person.merged_into_id, person.id) AS person_id, label.source
        FROM people_facelabel label JOIN people_person person ON person.id = label.person_id
        WHERE label.face_id = face.id AND label.revoked_by_id IS NULL AND label.verdict = 'confirmed'
            AND NOT EXISTS (
                SELECT FROM people_facelabel other JOIN people_person who ON who.id = other.person_id
                WHERE other.face_id = face.id AND other.revoked_by_id IS NULL AND other.verdict = 'rejected'
                    AND coalesce(who.merged_into_id, who.id) = coalesce(person.merged_into_id, person.id))
        ORDER BY array_position(
            ARRAY['human_confirmed', 'imported', 'model_guess'], label.source::text), label.id DESC
        LIMIT 1
    ) named ON true
"""
_DIFFERS: Final = (
    "(face.person_id, face.person_source, face.status) "
    "IS DISTINCT FROM (said.person_id, said.person_source::text, said.status::text)"
)
_DERIVE: Final = f"""
UPDATE people_face face
SET person_id = said.person_id, person_source = said.person_source, status = said.status
FROM ({_SAID} WHERE face.id = ANY(%s)) said
WHERE face.id = said.id AND {_DIFFERS}
RETURNING face.id, said.was
"""  # noqa: S608 - constants of this module

#: A statement that gives a line for each face that is not what its labels say.
DISAGREEING: Final = f"""
SELECT format('face %%s in photo %%s', face.id, face.photo_id)
FROM people_face face JOIN ({_SAID}) said ON said.id = face.id WHERE {_DIFFERS}
"""  # noqa: S608 - constants of this module


def derive(face_ids: Collection[int]) -> dict[int, int | None]:
    """Bring these faces in line with their labels. Returns those that changed, with whose they were before.

    The caller has locked them (``people.locks``) and looks after the hard rules (``people.rules``).
    """
    if not face_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_DERIVE, [list(face_ids)])
        return dict(cursor.fetchall())


def disagreeing() -> list[str]:
    """The faces whose columns are not what their labels say; none, in a library that is whole."""
    with connection.cursor() as cursor:
        cursor.execute(DISAGREEING.replace("%%", "%"))
        return [line for (line,) in cursor.fetchall()]


@transaction.atomic
def repair() -> int:
    """Bring all faces in line, after somebody wrote labels by hand. Returns how many changed."""
    enter_alone()
    return len(derive(list(Face.objects.order_by("pk").values_list("pk", flat=True))))
