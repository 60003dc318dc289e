"""The timeline: which photos are in the gallery, in which order, and how a page of it is cut.

Photos are ordered by the clock on the wall where they were taken, newest first, then by id. A page begins
after a cursor that holds both values of the last photo before it, so pages stay right while photos arrive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import Coalesce, ExtractYear

from library.access import photos_for
from library.models import DetectedObject, Favourite, Photo, PhotoFile, PhotoQuerySet, Root
from library.presentation import ratio

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User: TypeAlias = AbstractBaseUser | AnonymousUser

PAGE_SIZE = 50
#: How many newer photos are shown above the photo one comes back from.
NEWER_ABOVE = 20
#: Widths in heights that a month may have to stand beside others: what fits a phone's row.
SMALL_MONTH = 4.0
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?)_(\d{1,18})", re.ASCII)


class BadCursor(ValueError):
    """A cursor that no page of this timeline ever gave out; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last photo before a page: its local time and its id."""

    taken_local: datetime
    pk: int

    @classmethod
    def of(cls, photo: Photo) -> Cursor:
        """The cursor whose page begins right after this photo."""
        if photo.taken_local is None:
            raise ValueError(f"Photo {photo.pk} is not in the timeline: it has no date.")
        return cls(photo.taken_local, photo.pk)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what ``str()`` wrote. Raises BadCursor for anything else."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise BadCursor(f"“{text[:60]}” is not a place in the timeline.")
        try:
            return cls(datetime.fromisoformat(match[1]).replace(tzinfo=UTC), int(match[2]))
        except ValueError as error:
            raise BadCursor(f"“{text[:60]}” is not a place in the timeline: {error}.") from error

    def __str__(self) -> str:
        return f"{self.taken_local.astimezone(UTC).replace(tzinfo=None).isoformat()}_{self.pk}"


@dataclass(frozen=True, slots=True)
class Month:
    """The photos of one month on one page; ``continued`` when the page before shows its heading.

    A ``small`` month is here as a whole and short enough to share a row with its neighbours.
    """

    first_day: datetime
    photos: list[Photo]
    continued: bool
    small: bool

    @property
    def key(self) -> str:
        """``2019-07``: part of the id of the month's grid."""
        return f"{self.first_day:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the timeline. ``older`` is None at its end."""

    months: list[Month]
    older: Cursor | None


def gallery_photos(user: User) -> PhotoQuerySet:
    """What the gallery holds for this user: shown photos without those that hide behind a better one.

    A photo hides only behind one that the user may see, too.
    """
    photos = photos_for(user).shown().filter(taken_local__isnull=False)
    if _sees_every_root(user):
        return photos.without_near_identical()
    in_front = photos_for(user).shown().filter(pk=OuterRef("duplicate_of"))
    return photos.filter(Q(duplicate_of__isnull=True) | ~Exists(in_front))


def with_details(photos: PhotoQuerySet, user: User) -> PhotoQuerySet:
    """Everything a tile or card says about its photo, in a constant number of queries.

    Adds ``visible_files`` (a list), ``behind`` (how many nearly identical photos hide behind it), whether it
    moves, whether it has this user's heart, its place and what a model wrote about it, and prefetches the
    tags.
    """
    files = PhotoFile.objects.select_related("root").order_by(F("missing_since").asc(nulls_first=True), "pk")
    if not getattr(user, "is_superuser", False):
        files = files.filter(root__in=Root.objects.visible_to(user).values("pk"))
    hidden = photos_for(user).shown().filter(duplicate_of=OuterRef("pk")).order_by()
    counted = hidden.values("duplicate_of").annotate(number=Count("pk")).values("number")
    return (
        photos.select_related("model_description", "video", "place")
        .defer("exif")
        .prefetch_related(
            Prefetch("files", queryset=files, to_attr="visible_files"),
            Prefetch("detected_objects", queryset=DetectedObject.objects.select_related("tag", "category")),
        )
        .annotate(
            behind=Coalesce(Subquery(counted, output_field=IntegerField()), 0),
            favourite=Exists(Favourite.objects.filter(photo=OuterRef("pk"), user=user.pk)),
        )
    )


def page_after(photos: PhotoQuerySet, cursor: Cursor | None) -> Page:
    """The page of the timeline that begins after ``cursor``, or the first one."""
    if cursor is not None:
        photos = photos.older_than(cursor.taken_local, cursor.pk)
    found = list(photos.newest_first()[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    older = Cursor.of(shown[-1]) if len(found) > PAGE_SIZE else None
    return Page(_months(shown, cursor, ends=older is None), older)


def cursor_above(photos: PhotoQuerySet, photo: Photo, newer: int) -> Cursor | None:
    """The cursor of a page that shows up to ``newer`` newer photos before this one; None for the top."""
    above = list(_newer(photos, photo)[newer : newer + 1])
    return Cursor.of(above[0]) if above else None


def cursor_before(photos: PhotoQuerySet, cursor: Cursor) -> tuple[bool, Cursor | None]:
    """Whether anything is newer than the page after ``cursor``, and the cursor of the page above it."""
    at_or_newer = photos.filter(
        Q(taken_local__gt=cursor.taken_local) | Q(taken_local=cursor.taken_local, pk__gte=cursor.pk)
    ).order_by("taken_local", "pk")
    above = list(at_or_newer[: PAGE_SIZE + 1])
    return bool(above), Cursor.of(above[PAGE_SIZE]) if len(above) > PAGE_SIZE else None


def cursor_of_year(year: int) -> Cursor:
    """The cursor of a page that begins with the last photo of ``year``. Raises BadCursor out of 1..9998."""
    if not 1 <= year <= 9998:
        raise BadCursor(f"{year} is not a year of the timeline.")
    return Cursor(datetime(year + 1, 1, 1, tzinfo=UTC), 0)


def years(photos: PhotoQuerySet) -> list[tuple[int, int]]:
    """The years of these photos, newest first, each with how many there are."""
    found = photos.order_by().values_list(ExtractYear("taken_local", tzinfo=UTC)).annotate(number=Count("pk"))
    return sorted(((year, number) for year, number in found), reverse=True)


def neighbours(photos: PhotoQuerySet, photo: Photo) -> tuple[Photo | None, Photo | None]:
    """The next newer and the next older photo in the timeline, for a photo that has a date."""
    cursor = Cursor.of(photo)
    older = photos.older_than(cursor.taken_local, cursor.pk).newest_first().first()
    return _newer(photos, photo).first(), older


def _newer(photos: PhotoQuerySet, photo: Photo) -> PhotoQuerySet:
    cursor = Cursor.of(photo)
    return photos.newer_than(cursor.taken_local, cursor.pk).order_by("taken_local", "pk")


def _months(photos: Sequence[Photo], cursor: Cursor | None, *, ends: bool) -> list[Month]:
    above = (cursor.taken_local.year, cursor.taken_local.month) if cursor else None
    months = []
    for first_day, group in groupby(photos, key=_first_day):
        members = list(group)
        continued = (first_day.year, first_day.month) == above
        whole = not continued and (ends or members[-1] is not photos[-1])
        small = whole and sum(ratio(photo) for photo in members) <= SMALL_MONTH
        months.append(Month(first_day, members, continued, small))
    return months


def _first_day(photo: Photo) -> datetime:
    return Cursor.of(photo).taken_local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _sees_every_root(user: User) -> bool:
    if getattr(user, "is_superuser", False):
        return True
    open_roots = Root.objects.visible_to(user).values("pk")
    return not Root.objects.exclude(pk__in=open_roots).exists()
