"""A family's library in numbers: 250 people, their faces over 40 years, siblings, strangers and rubbish.

What a face's vector is made of (unit vectors in 512 dimensions; all directions have the falling spectrum of
real embeddings, whose effective dimension is about 220):

- **identity**: a direction a person; siblings share a part of it, so that the mean cosine between them is
  0.15 to 0.2 (kinship sets measured with ArcFace lie there; unrelated people at 0 with a spread of 0.065);
- **origin**: people fall into ten groups with a common direction, as impostors of one sex and origin are more
  alike than others; and the first pairs of siblings of three families are **twins** whom no engine tells
  apart;
- **ageing**: the identity drifts, fast in childhood, slowly later: cosine of the same person at 5 and at 25
  about 0.5 of what it would be, at 25 and 55 about 0.78 of it (as AgeDB-30 and CALFW fall against LFW);
- **small children look alike**: a common direction, strongest at birth and gone at eight, which puts two
  unrelated infants at 0.25;
- **the picture**: noise whose share grows as quality falls, partly in a few directions that stand for pose
  and light and are the same for everybody. Two good shots of one day come to 0.65, two bad ones to 0.4;
- **strangers** who are in one to three photos, and **rubbish**: false detections, alike among themselves as
  blurred faces are.

Photos are shot at events: a family group, some friends, a day, a place, a folder. The number of faces a
person has falls like Zipf's law.

The spectrum, the siblings' share, the noise of quality, the origins and the twins were changed after looking
at results of grouping and matching, each time towards a harder world or nearer to published figures. It is a
made-up world: what it says about real faces is no more than that the parts fit together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIMENSIONS = 512
FIRST_YEAR, LAST_YEAR = 1985, 2025
STRANGER, RUBBISH = -1, -2
_SIBLINGS_SHARE = 0.7
_INFANTS_SHARE = 0.25
_ORIGINS, _ORIGINS_SHARE = 10, 0.1
_TWIN_FAMILIES, _TWINS_SHARE = 3, 0.9
_POSES = 32

Vectors = npt.NDArray[np.float32]


@dataclass(slots=True)
class World:
    """One row a face. ``person`` is the truth: a number, or STRANGER or RUBBISH.

    ``photo`` numbers photos; ``day`` is a fractional year, ``seconds`` the shot time since 1970; ``place`` is
    latitude and longitude; ``event`` numbers events. ``birth`` is a person's year of birth, ``family`` the
    number of a person's family.
    """

    vectors: Vectors
    person: npt.NDArray[np.int_]
    quality: npt.NDArray[np.float64]
    photo: npt.NDArray[np.int_]
    event: npt.NDArray[np.int_]
    year: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.int64]
    place: npt.NDArray[np.float64]
    birth: npt.NDArray[np.float64]
    family: npt.NDArray[np.int_]


class _Space:
    """Random directions with a falling spectrum."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        spectrum = (1.0 + np.arange(DIMENSIONS)) ** -0.26
        self.spectrum = (spectrum / np.linalg.norm(spectrum) * DIMENSIONS**0.5).astype(np.float32)

    def directions(self, count: int) -> Vectors:
        return unit(self.random.standard_normal((count, DIMENSIONS)).astype(np.float32) * self.spectrum)


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def make_world(people: int = 250, faces: int = 50_000, seed: int = 1) -> World:
    """See above; the same seed gives the same world. The number of faces is met to within a photo."""
    random = np.random.default_rng(seed)
    space = _Space(random)
    family = np.repeat(np.arange(people), 5)[:people]
    birth = random.uniform(1940, 2018, people)
    for first in _twins(family):
        birth[first + 1] = birth[first]
    who, photo, event, when, place = _photos(random, family, birth, faces)
    vectors, quality = _faces(space, family, birth, who, when)
    seconds = ((when - 1970) * 365.2425 * 86_400).astype(np.int64)
    return World(vectors, who, quality, photo, event, when, seconds, place, birth, family)


def _photos(
    random: np.random.Generator,
    family: npt.NDArray[np.int_],
    birth: npt.NDArray[np.float64],
    faces: int,
) -> tuple[npt.NDArray[np.int_], ...]:
    """Events one after the other until there are faces enough: who is in which photo, when and where."""
    people = len(birth)
    fame = 1.0 / (1.0 + random.permutation(people)) ** 0.6
    homes = np.column_stack([random.uniform(45, 55, people), random.uniform(5, 15, people)])
    rows: list[tuple[int, int, int, float, float, float]] = []
    photo = event = 0
    while len(rows) < faces:
        start = random.uniform(FIRST_YEAR, LAST_YEAR)
        alive = birth < start - 0.1
        host = random.choice(people, p=fame * alive / (fame * alive).sum())
        kin = np.flatnonzero((family == family[host]) & alive)
        friends = random.choice(people, random.integers(0, 4), p=fame * alive / (fame * alive).sum())
        guests = np.unique(np.concatenate([[host], kin[random.random(len(kin)) < 0.7], friends]))
        spot = homes[host] if random.random() < 0.6 else random.uniform((40, -5), (60, 20))
        minute = 0.0
        for _ in range(random.integers(3, 30)):
            minute += random.exponential(6)
            chance = np.minimum(1.6 * fame[guests] / fame[guests].max(), 0.85)
            shown = guests[random.random(len(guests)) < np.maximum(chance, 0.35)]
            extra = [STRANGER] * random.poisson(0.22) + [RUBBISH] * random.poisson(0.06)
            at = start + minute / (365.2425 * 1440)
            for one in [*shown[:8].tolist(), *extra]:
                rows.append((one, photo, event, at, *(spot + random.normal(0, 0.002, 2))))
            photo += 1
        event += 1
    table = np.array(rows[:faces])
    whole = [table[:, column].astype(int) for column in range(3)]
    return (*whole, table[:, 3], table[:, 4:6])  # type: ignore[return-value]


def _faces(
    space: _Space,
    family: npt.NDArray[np.int_],
    birth: npt.NDArray[np.float64],
    who: npt.NDArray[np.int_],
    when: npt.NDArray[np.float64],
) -> tuple[Vectors, npt.NDArray[np.float64]]:
    random, count, people = space.random, len(who), len(birth)
    clans = space.directions(family.max() + 1)
    stranger = who == STRANGER
    # A stranger comes back in every third case.
    number = np.where(stranger, people + random.integers(0, max(1, int(stranger.sum() * 0.6)), count), who)
    everyone = people + max(1, int(stranger.sum() * 0.6))
    own = space.directions(everyone)
    share = np.concatenate([np.full(people, _SIBLINGS_SHARE), np.zeros(everyone - people)])
    kin = np.concatenate([clans[family], space.directions(everyone - people)])
    base = _mix(share, kin, own)
    origin = space.directions(_ORIGINS)[
        np.append(family, random.integers(0, _ORIGINS, everyone - people)) % _ORIGINS
    ]
    base = _mix(np.full(everyone, _ORIGINS_SHARE), origin, base)
    birthdays = np.concatenate([birth, random.uniform(1940, 2000, everyone - people)])
    real = np.flatnonzero(who != RUBBISH)
    identity = space.directions(count)
    twins = {first + 1: first for first in _twins(family)}
    whose = np.array([twins.get(one, one) for one in range(everyone)])[number]
    for person in np.unique(whose[real]):
        mine = real[whose[real] == person]
        identity[mine] = _drift(space, base[person], when[mine] - birthdays[person])
    for twin in twins:
        mine = np.flatnonzero(number == twin)
        own_part = np.repeat(own[twin : twin + 1], len(mine), axis=0)
        identity[mine] = _mix(np.full(len(mine), _TWINS_SHARE), identity[mine], own_part)
    quality = random.beta(3.0, 1.8, count)
    quality[who == RUBBISH] = random.beta(1.5, 6, (who == RUBBISH).sum())
    identity[who == RUBBISH] = space.directions(1)
    return _shoot(space, identity, quality), quality


def _twins(family: npt.NDArray[np.int_]) -> list[int]:
    """The first of each pair; the other is the next person."""
    return np.flatnonzero(np.diff(family, prepend=-1))[:_TWIN_FAMILIES].tolist()


def _mix(share: npt.NDArray[np.float64], common: Vectors, own: Vectors) -> Vectors:
    return unit(np.sqrt(share)[:, None] * common + np.sqrt(1 - share)[:, None] * own)


def _drift(space: _Space, base: Vectors, ages: npt.NDArray[np.float64]) -> Vectors:
    """The look of one person at these ages: a random walk on the sphere, run through in order of age."""
    ages = np.maximum(ages, 0.0)
    clock = np.interp(ages, [0, 12, 20, 100], [0, 0.6, 0.85, 0.85 + 80 / 120])
    order = np.argsort(clock, kind="stable")
    steps = np.diff(clock[order], prepend=clock[order[:1]])
    drifting = np.empty((len(ages), DIMENSIONS), dtype=np.float32)
    # What a person keeps for life, and what walks away: together their correlation is as described above.
    walk = space.directions(1)[0]
    for place, step in zip(order, steps, strict=True):
        keep = np.exp(-1.6 * step)
        walk = keep * walk + np.sqrt(max(1 - keep**2, 0.0)) * space.directions(1)[0]
        drifting[place] = walk
    baby = space_constant(space)
    infant = (np.sqrt(_INFANTS_SHARE) * np.clip(1 - ages / 8, 0, 1)).astype(np.float32)
    looks = unit(np.sqrt(0.5) * base + np.sqrt(0.5) * unit(drifting))
    return unit(infant[:, None] * baby + np.sqrt(1 - infant**2)[:, None] * looks)


def space_constant(space: _Space) -> Vectors:
    """The direction in which all small children lie."""
    return unit(np.roll(space.spectrum, 7)[None, :] * np.where(np.arange(DIMENSIONS) % 2, 1.0, -1.0))[0]


def _shoot(space: _Space, identity: Vectors, quality: npt.NDArray[np.float64]) -> Vectors:
    """What a picture makes of a look."""
    count = len(identity)
    clear = np.clip(0.42 + 0.5 * quality + space.random.normal(0, 0.06, count), 0.2, 0.95)
    clear = clear.astype(np.float32)[:, None]
    poses = space.directions(_POSES)
    turned = unit(space.random.standard_normal((count, _POSES)).astype(np.float32) @ poses)
    noise = unit(0.5 * turned + 0.87 * space.directions(count))
    return unit(clear * identity + np.sqrt(1 - clear**2) * noise)
