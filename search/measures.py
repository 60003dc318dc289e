"""Fields whose values are numbers, dates, shapes or colours → conditions on photos. They know no user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import cos, radians
from typing import Any, Final

from django.db.models import Count, Exists, F, FloatField, OuterRef, Q, Value
from django.db.models.functions import ACos, Cast, Cos, Greatest, Least, Radians, Sin
from django.db.models.lookups import (
    BuiltinLookup,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)

from library.models import PhotoFile
from people.models import Face
from search.colours import colour_condition
from search.query import values
from search.query.values import MEGAPIXELS, Comparison

EARTH_KM: Final = 6371.0
KM_A_DEGREE: Final = 111.19
#: A picture whose sides differ by less than this share passes for square.
SQUARE: Final = 0.05

_LOOKUPS: Final[dict[str, type[BuiltinLookup[Any]]]] = {
    "<": LessThan,
    "<=": LessThanOrEqual,
    "=": Exact,
    ">=": GreaterThanOrEqual,
    ">": GreaterThan,
}


def compared(measure: Any, asked: Comparison) -> Q:
    """A column or an expression, compared."""
    return Q(_LOOKUPS[asked.operator](measure, asked.number))


def size(value: str, files: Q) -> Q:
    """Bytes of a file, or millions of pixels."""
    asked = _known(values.size(value))
    if asked.unit == MEGAPIXELS:
        # Sides of more than 46,340 pixels would leave the range of integers.
        pixels = Cast("width", FloatField()) * Cast("height", FloatField())
        return compared(pixels / Value(1e6, FloatField()), asked)
    return Q(Exists(PhotoFile.objects.filter(files, compared(F("size"), asked), photo=OuterRef("pk"))))


def _rating(value: str) -> Q:
    """Photos nobody rated have no stars, and are none of these."""
    asked = _known(values.count(value, most=5))
    return compared(F("rating"), asked)


def _faces(value: str) -> Q:
    """Photos without faces are in no group: when they count, what is asked for is all but the others."""
    asked = _known(values.count(value, most=999))
    counted = (
        Face.objects.filter(status=Face.Status.FACE).order_by().values("photo").annotate(number=Count("pk"))
    )
    condition = compared(F("number"), asked)
    if asked.holds(0):
        return ~Q(pk__in=counted.exclude(condition).values("photo"))
    return Q(pk__in=counted.filter(condition).values("photo"))


def _near(value: str) -> Q:
    """A box first, which has an index, then the great circle (spherical law of cosines)."""
    circle = _known(values.circle(value))
    height = circle.km / KM_A_DEGREE
    box = Q(latitude__range=(circle.latitude - height, circle.latitude + height))
    narrowest = cos(radians(min(abs(circle.latitude) + height, 90.0)))
    width = height / narrowest if narrowest > 1e-6 else 360.0
    if circle.longitude - width > -180 and circle.longitude + width < 180:
        box &= Q(longitude__range=(circle.longitude - width, circle.longitude + width))
    here = Value(circle.latitude, FloatField())
    cosine = Sin(Radians(here)) * Sin(Radians(F("latitude"))) + Cos(Radians(here)) * Cos(
        Radians(F("latitude"))
    ) * Cos(Radians(F("longitude") - Value(circle.longitude, FloatField())))
    distance = ACos(Greatest(Least(cosine, Value(1.0)), Value(-1.0))) * Value(EARTH_KM, FloatField())
    return box & Q(LessThanOrEqual(distance, circle.km))


def _orientation(value: str) -> Q:
    wide = Q(width__gt=F("height") * (1 + SQUARE))
    tall = Q(height__gt=F("width") * (1 + SQUARE))
    shapes = {
        "landscape": wide,
        "portrait": tall,
        "square": Q(width__isnull=False, height__isnull=False) & ~wide & ~tall,
    }
    return shapes[_known(values.choice("orientation", value))]


def _within(value: str) -> Q:
    start, end = _known(values.span(value))
    return Q(taken_local__gte=start, taken_local__lt=end)


def _before(value: str) -> Q:
    return Q(taken_local__lt=_start(value))


def _after(value: str) -> Q:
    return Q(taken_local__gte=_start(value))


def _start(value: str) -> datetime:
    start: datetime = _known(values.period(value))[0]
    return start


CONDITIONS: Final[dict[str, Callable[[str], Q]]] = {
    "rating": _rating,
    "faces": _faces,
    "near": _near,
    "color": colour_condition,
    "orientation": _orientation,
    "year": _within,
    "date": _within,
    "before": _before,
    "after": _after,
}


def _known(value: Any) -> Any:
    """The parser lets only values through that can be used."""
    if value is None:
        raise ValueError("A field with a value that cannot be used.")
    return value
