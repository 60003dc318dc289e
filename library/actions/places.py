"""Give photos the names of the places where they were taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from django.db import transaction

from library.models import Photo, Place
from vision.imaging.gazetteer import PlaceNames


@transaction.atomic
def set_places(*, names: Mapping[int, PlaceNames]) -> int:
    """City, region and country by photo; photos without any lose their place. Say how many changed."""
    places = Place.objects.ensure(names.values())
    photos: dict[int | None, list[int]] = defaultdict(list)
    for pk, found in names.items():
        photos[places[found].pk if found in places else None].append(pk)
    return sum(
        Photo.objects.filter(pk__in=ids).exclude(place=place).update(place=place)
        if place is not None
        else Photo.objects.filter(pk__in=ids, place__isnull=False).update(place=None)
        for place, ids in photos.items()
    )
