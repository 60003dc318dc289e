"""The rows by which photos of a colour are found.

A colour of a photo belongs to the nearest example of the palette in CIE Lab (Euclidean distance there is
ΔE of CIE 1976). Each name has several examples, since what people call green is no ball around one point.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db import connection, transaction

from library.models import PhotoColour
from vision.imaging.palette import examples

MIN_SHARE: Final = 40
"""Thousandths of the picture that a colour must fill to be kept."""


# Lab comes from what preprocessing stored; a colour without it was written by something else.
_FILL: Final = """
INSERT INTO library_photocolour (photo_id, palette, lightness, a, b, share)
SELECT
    photo.id, near.palette, round(lab.l * 10), round(lab.a * 10), round(lab.b * 10), round(lab.share * 1000)
FROM library_photo AS photo
CROSS JOIN LATERAL jsonb_array_elements(photo.colours) AS colour
CROSS JOIN LATERAL (
    SELECT
        (colour -> 'lab' ->> 0)::float8 AS l, (colour -> 'lab' ->> 1)::float8 AS a,
        (colour -> 'lab' ->> 2)::float8 AS b, (colour ->> 'share')::float8 AS share
) AS lab
CROSS JOIN LATERAL (
    SELECT example.palette
    FROM unnest(%(palette)s::int[], %(l)s::float8[], %(a)s::float8[], %(b)s::float8[])
        AS example (palette, l, a, b)
    ORDER BY (example.l - lab.l) ^ 2 + (example.a - lab.a) ^ 2 + (example.b - lab.b) ^ 2, example.palette
    LIMIT 1
) AS near
WHERE photo.id = ANY (%(photos)s)
    AND lab.l IS NOT NULL AND lab.b IS NOT NULL AND lab.share * 1000 >= %(least)s
"""


@transaction.atomic
def store_colours(*, photo_ids: Collection[int]) -> None:
    """Write the rows of these photos anew from ``Photo.colours``; the database works the names out."""
    PhotoColour.objects.filter(photo__in=photo_ids).delete()
    parameters: dict[str, Any] = {"photos": list(photo_ids), "least": MIN_SHARE}
    parameters["palette"] = [number for number, _ in examples()]
    for axis, name in enumerate("lab"):
        parameters[name] = [lab[axis] for _, lab in examples()]
    with connection.cursor() as cursor:
        cursor.execute(_FILL, parameters)
