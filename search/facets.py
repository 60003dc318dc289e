"""The filters beside the results: what can be chosen, and how many photos each choice would leave.

The numbers come from ``search.counting``, which says what is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from library.models import Category
from people.models import Person
from search import refine
from search.counting import Counts, chosen_folder, counted
from search.found import Asked
from search.query import SearchQuery
from search.refine import FACETS, People, Period
from search.text import fold, words
from vision.imaging.formats import FAMILIES

if TYPE_CHECKING:
    from search.found import User

MOST: Final = 60
"""So many values of a facet are listed, those with the most photos; what is chosen is always there."""

SIZES: Final = (
    (">=20mp", "20 megapixels and more", 20, None),
    (">=10mp", "10 megapixels and more", 10, None),
    (">=5mp", "5 megapixels and more", 5, None),
    ("<1mp", "Less than 1 megapixel", None, 1),
)
SHAPES: Final = (("landscape", "Landscape"), ("portrait", "Portrait"), ("square", "Square"))
KINDS: Final = (("text", "Text"), ("faces", "Faces"), ("gps", "A place on the map"), ("video", "A video"))
MARKS: Final = (("favourite", "Your favourites"), ("screenshot", "Screenshots"))
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FORMAT_NAMES: Final = {"jpg": "JPEG", "heic": "HEIC", "tiff": "TIFF", "raw": "Raw"}
_SAME_FORMAT: Final = {"jpeg": "jpg", "mpo": "jpg", "tif": "tiff", "heif": "heic"} | {
    extension: "raw" for extension, family in FAMILIES.items() if family == "raw"
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet, and how many photos have it."""

    value: str
    label: str
    count: int
    chosen: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A year or a month: where it leads, and how high it stands, 0..100."""

    label: str
    name: str
    count: int
    height: int
    url: str
    chosen: bool = False

    @property
    def top(self) -> int:
        """Where it begins from above, 0..100."""
        return 100 - self.height


@dataclass(frozen=True, slots=True)
class Facets:
    """Everything the panel shows. ``parents`` lead from the top to the folder that is chosen."""

    total: int
    bars: list[Bar] = field(default_factory=list)
    year: int | None = None
    period: Period = field(default_factory=Period)
    any_date: str = ""
    categories: list[Choice] = field(default_factory=list)
    people: list[Choice] = field(default_factory=list)
    people_mode: str = "all"
    folders: list[Choice] = field(default_factory=list)
    parents: list[Choice] = field(default_factory=list)
    cameras: list[Choice] = field(default_factory=list)
    formats: list[Choice] = field(default_factory=list)
    sizes: list[Choice] = field(default_factory=list)
    shapes: list[Choice] = field(default_factory=list)
    kinds: list[Choice] = field(default_factory=list)
    marks: list[Choice] = field(default_factory=list)
    shows_duplicates: bool = False
    duplicates: int = 0


def facets(asked: Asked, user: User) -> Facets:
    """The facets of a search, counted for this user."""
    query = asked.understood(user)
    counts = counted(asked, query, user)
    total = counts["total"].get("", 0)
    period = refine.period(query)
    who = refine.people(query)
    shows_duplicates = bool(refine.chosen(query, FACETS["show"]))
    single = counts["single"].get("", 0)
    return Facets(
        total=total,
        bars=_bars(asked, query, counts["month"], period),
        year=period.year,
        period=period,
        any_date=_to(asked, refine.without_dates(query)) if period else "",
        categories=_categories(query, counts["category"]),
        people=_people(who, counts["person"]),
        people_mode=who.mode,
        folders=_folders(asked, query, counts["folder"]),
        parents=_parents(asked, query),
        cameras=_cameras(query, counts["camera"]),
        formats=_formats(query, counts["format"]),
        sizes=_sizes(query, counts["megapixels"]),
        shapes=_fixed(query, "orientation", SHAPES, counts),
        kinds=_fixed(query, "has", KINDS, counts),
        marks=_fixed(query, "is", MARKS, counts),
        shows_duplicates=shows_duplicates,
        duplicates=max(single - total, 0) if not shows_duplicates else 0,
    )


def _to(asked: Asked, query: SearchQuery) -> str:
    return asked.but(q=query.as_typed).url()


def _bars(asked: Asked, query: SearchQuery, months: Mapping[str, int], period: Period) -> list[Bar]:
    """The months of the year the query is limited to, else the years from the first to the last."""
    if period.year is not None:
        named = [(f"{period.year:04d}-{number + 1:02d}", name) for number, name in enumerate(MONTHS)]
        return _scaled(asked, query, [(key, name, months.get(key, 0)) for key, name in named], period)
    by_year: dict[int, int] = defaultdict(int)
    for key, number in months.items():
        by_year[int(key[:4])] += number
    if not by_year:
        return []
    first, last = min(by_year), max(by_year)
    years = range(first, last + 1) if last - first < MOST else sorted(by_year)[-MOST:]
    return _scaled(
        asked, query, [(f"{year:04d}", f"{year:04d}", by_year.get(year, 0)) for year in years], period
    )


def _scaled(asked: Asked, query: SearchQuery, rows: list[tuple[str, str, int]], period: Period) -> list[Bar]:
    highest = max((number for _, _, number in rows), default=0) or 1
    bars = []
    for key, label, number in rows:
        there = refine.choose_date(query, key)
        bars.append(
            Bar(
                label,
                f"{label} {key[:4]}" if len(key) > 4 else key,
                number,
                max(round(100 * number / highest), 3) if number else 0,
                _to(asked, there),
                chosen=bool(period) and refine.period(there) == period,
            )
        )
    return bars


def _categories(query: SearchQuery, counts: Mapping[str, int]) -> list[Choice]:
    chosen = _folded(refine.chosen(query, FACETS["category"]))
    found = []
    for category in Category.objects.all():
        ticked = _key(category.slug) in chosen or _key(category.name) in chosen
        if (number := counts.get(str(category.pk), 0)) or ticked:
            found.append(Choice(category.slug, category.name, number, ticked))
    return found


def _people(who: People, counts: Mapping[str, int]) -> list[Choice]:
    """By name; people of one name are one choice, as they are for the query."""
    chosen = _folded(who.names)
    numbers: dict[str, int] = defaultdict(int)
    labels: dict[str, str] = {}
    people = Person.objects.active().filter(hidden=False).order_by("name", "pk")
    for pk, name in people.values_list("pk", "name"):
        numbers[_key(name)] += counts.get(str(pk), 0)
        labels.setdefault(_key(name), name)
    rows = [
        Choice(label, label, numbers[key], key in chosen) for key, label in labels.items() if numbers[key]
    ]
    known = {_key(row.value) for row in rows}
    # As they were typed: a first name, say, or somebody of whom this user may know nothing.
    rows += [Choice(name, name, 0, chosen=True) for name in who.names if _key(name) not in known]
    return _most(rows)


def _cameras(query: SearchQuery, counts: Mapping[str, int]) -> list[Choice]:
    """Each with all photos that ``camera:`` finds by its name: longer names with its words count, too."""
    chosen = _folded(refine.chosen(query, FACETS["camera"]))
    full = {value: fold(value.replace("\x1f", " ")) for value in counts}
    rows = []
    for value in counts:
        make, _, model = value.partition("\x1f")
        name = model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()
        wanted = fold(name).split()
        number = sum(counts[other] for other, text in full.items() if all(word in text for word in wanted))
        rows.append(Choice(name, name, number, _key(name) in chosen))
    known = {_key(row.value) for row in rows}
    typed = refine.chosen(query, FACETS["camera"])
    rows += [Choice(name, name, 0, chosen=True) for name in typed if _key(name) not in known]
    return _most(rows)


def _formats(query: SearchQuery, counts: Mapping[str, int]) -> list[Choice]:
    chosen = {_format(value) for value in refine.chosen(query, FACETS["format"])}
    numbers: dict[str, int] = dict.fromkeys(chosen, 0)
    for value, number in counts.items():
        numbers[_format(value)] = numbers.get(_format(value), 0) + number
    return _most(
        Choice(name, FORMAT_NAMES.get(name, name.upper()), number, name in chosen)
        for name, number in numbers.items()
    )


def _format(value: str) -> str:
    name = fold(value).removeprefix(".")
    return _SAME_FORMAT.get(name, name)


def _sizes(query: SearchQuery, megapixels: Mapping[str, int]) -> list[Choice]:
    chosen = _exact(refine.chosen(query, FACETS["size"]))
    rows = []
    for value, label, least, below in SIZES:
        number = sum(
            count
            for size, count in megapixels.items()
            if (least is None or int(size) >= least) and (below is None or int(size) < below)
        )
        if number or value in chosen:
            rows.append(Choice(value, label, number, value in chosen))
    known = {row.value for row in rows}
    return rows + [Choice(value, value, 0, chosen=True) for value in sorted(chosen - known)]


def _folders(asked: Asked, query: SearchQuery, counts: Mapping[str, int]) -> list[Choice]:
    """The folders right below the chosen one, or at the top; what a query cannot hold is left out."""
    above = chosen_folder(query)
    rows = []
    for name, number in counts.items():
        if '"' in name or name != " ".join(name.split()):
            continue
        path = f"{above}/{name}" if above else name
        there = _to(asked, refine.choose(query, FACETS["folder"], [path]))
        rows.append(Choice(path, name, number, url=there))
    return sorted(_most(rows), key=lambda row: fold(row.label))


def _parents(asked: Asked, query: SearchQuery) -> list[Choice]:
    folder = chosen_folder(query)
    if not folder:
        return []
    parts = folder.split("/")
    rows = [Choice("", "All folders", 0, url=_to(asked, refine.without(query, FACETS["folder"])))]
    for depth, name in enumerate(parts, start=1):
        path = "/".join(parts[:depth])
        there = _to(asked, refine.choose(query, FACETS["folder"], [path]))
        rows.append(Choice(path, name, 0, chosen=depth == len(parts), url=there))
    return rows


def _fixed(query: SearchQuery, name: str, values: Iterable[tuple[str, str]], counts: Counts) -> list[Choice]:
    chosen = _exact(refine.chosen(query, FACETS[name]))
    return [
        Choice(value, label, counts[name].get(value, 0), value in chosen)
        for value, label in values
        if counts[name].get(value, 0) or value in chosen
    ]


def _most(rows: Iterable[Choice]) -> list[Choice]:
    ordered = sorted(rows, key=lambda row: (-row.count, fold(row.label)))
    return [row for place, row in enumerate(ordered) if place < MOST or row.chosen]


def _key(value: str) -> str:
    return " ".join(words(value))


def _folded(values: Iterable[str]) -> set[str]:
    return {_key(value) for value in values}


def _exact(values: Iterable[str]) -> set[str]:
    return {value.strip().lower() for value in values}
