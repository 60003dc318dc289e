"""Names of the places where photos were taken."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import Q

from vision.imaging.gazetteer import PlaceNames


class PlaceQuerySet(models.QuerySet["Place"]):
    """Queries over places."""

    def ensure(self, names: Iterable[PlaceNames]) -> dict[PlaceNames, Place]:
        """The places of these names; those that do not exist are made. A place without any name is none."""
        wanted = {each for each in names if any(each)}
        found = self._named(wanted)
        missing = [
            Place(city=city, region=region, country=country)
            for city, region, country in sorted(wanted - set(found))
        ]
        if missing:
            self.bulk_create(missing, ignore_conflicts=True)
            found = self._named(wanted)
        return found

    def _named(self, names: set[PlaceNames]) -> dict[PlaceNames, Place]:
        if not names:
            return {}
        condition = Q()
        for city, region, country in names:
            condition |= Q(city=city, region=region, country=country)
        return {place.names: place for place in self.filter(condition)}


class Place(models.Model):
    """A city in its region and country, as far as they are known. Rows never change."""

    city = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=200, blank=True)

    objects = PlaceQuerySet.as_manager()

    class Meta:
        ordering = ("country", "region", "city")
        constraints = (models.UniqueConstraint(fields=("city", "region", "country"), name="place_unique"),)

    def __str__(self) -> str:
        return ", ".join(self.shown)

    @property
    def shown(self) -> list[str]:
        """The names that are known, each once, the most precise first."""
        return list(dict.fromkeys(name for name in self.names if name))

    @property
    def names(self) -> PlaceNames:
        """City, region, country."""
        return self.city, self.region, self.country
