"""Everything that has a name, in the memory of the process, to be found by how it begins.

Read from the database when the library changed, at most every ``READ_EVERY`` seconds: suggestions may be a
little late. Who may know of a name is not decided here but at every request (``search.rights``).
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from library.models import Album, Category, DetectedObject, Place, Tag
from people.finding import known_names
from search import changes
from search.cache_models import VocabularyWord
from search.library_words import is_word
from search.query import FIELDS
from search.text import words

Kind = Literal["person", "place", "album", "tag", "category", "field", "camera", "word"]

READ_EVERY: Final = 30.0
MOST_WORDS: Final = 50_000
"""The words that most photos have; the others can be searched, but are not suggested."""

READ_IN_PICTURES: Final = 3
"""In so many photos a word must be that was only read in pictures: reading makes up words, too."""

REMEMBERED: Final = 2_000

# The distinct values without reading every photo: one index lookup each.
_CAMERAS: Final = """
WITH RECURSIVE camera AS (
    (SELECT camera_make, camera_model FROM library_photo WHERE camera_model <> ''
     ORDER BY camera_make, camera_model LIMIT 1)
    UNION ALL
    SELECT following.* FROM camera CROSS JOIN LATERAL (
        SELECT photo.camera_make, photo.camera_model FROM library_photo AS photo
        WHERE (photo.camera_make, photo.camera_model) > (camera.camera_make, camera.camera_model)
            AND photo.camera_model <> ''
        ORDER BY photo.camera_make, photo.camera_model LIMIT 1
    ) AS following
)
SELECT camera_make, camera_model FROM camera LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something with a name. ``key`` is its row; of a camera its maker and model, of others the name."""

    kind: Kind
    name: str
    key: int | str | tuple[str, str]
    photos: int = 0


class Rank(Protocol):
    """Says which entries come first; ``first``: its name begins as was typed, not one of its other words."""

    def __call__(self, entry: Entry, *, first: bool) -> Any:
        """Something that sorts."""
        ...


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All names by the beginnings of their words; ``spellings`` are all single words of them, each once."""

    starts: list[tuple[str, int, Entry]]
    spellings: list[str]
    _remembered: dict[Any, list[Entry]] = field(default_factory=dict)

    def ranked(self, prefix: str, rank: Rank, kinds: Collection[Kind], most: int) -> list[Entry]:
        """Names of these kinds that begin so, or have words that do: the first so many of each kind."""
        key = (prefix, rank, kinds, most)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._ranked(prefix, rank, kinds, most)
        return found

    def having(self, word: str) -> Iterator[Entry]:
        """Names that have this folded word."""
        for start, _, entry in self._from(word):
            if start != word and not start.startswith(f"{word} "):
                return
            yield entry

    def _ranked(self, prefix: str, rank: Rank, kinds: Collection[Kind], most: int) -> list[Entry]:
        best: dict[Entry, Any] = {}
        for start, position, entry in self._from(prefix):
            if not start.startswith(prefix):
                break
            if entry.kind in kinds:
                place = rank(entry, first=position == 0)
                best[entry] = min(place, best.get(entry, place))
        counts: dict[Kind, int] = {}
        kept = []
        for entry in sorted(best, key=best.__getitem__):
            counts[entry.kind] = counts.get(entry.kind, 0) + 1
            if counts[entry.kind] <= most:
                kept.append(entry)
        return kept

    def _from(self, prefix: str) -> Iterator[tuple[str, int, Entry]]:
        at = bisect_left(self.starts, prefix, key=lambda start: start[0])
        for number in range(at, len(self.starts)):
            yield self.starts[number]


_lock = threading.Lock()
_read: tuple[float, str, Lexicon] | None = None


def lexicon() -> Lexicon:
    """The names of today, or those of up to ``READ_EVERY`` seconds ago."""
    global _read
    known = _read
    if known is not None and time.monotonic() - known[0] < READ_EVERY:
        return known[2]
    with _lock:
        known = _read
        if known is not None and time.monotonic() - known[0] < READ_EVERY:
            return known[2]
        version = changes.version()
        names = known[2] if known is not None and known[1] == version else _build()
        _read = (time.monotonic(), version, names)
        return names


def forget() -> None:
    """Read anew at the next request."""
    global _read
    _read = None


def _build() -> Lexicon:
    kept = VocabularyWord.objects.filter(Q(named=True) | Q(photos__gte=READ_IN_PICTURES))
    counts = dict(kept.order_by("-photos", "word").values_list("word", "photos")[:MOST_WORDS])
    starts = [(word, 0, Entry("word", word, word, photos)) for word, photos in counts.items()]
    starts += [(name, 0, Entry("field", name, name)) for name in FIELDS]
    for entry in _names(counts):
        folded = words(entry.name)
        starts += [(" ".join(folded[position:]), position, entry) for position in range(len(folded))]
    starts.sort(key=lambda start: start[:2])
    single = {start.partition(" ")[0] for start, _, entry in starts if entry.kind != "field"}
    return Lexicon(starts, sorted(word for word in single if is_word(word)))


def _names(counts: dict[str, int]) -> Iterator[Entry]:
    tagged = Tag.objects.filter(Exists(DetectedObject.objects.filter(tag=OuterRef("pk"))))
    for pk, name in tagged.values_list("pk", "name"):
        yield Entry("tag", name, pk, _fewest(words(name), counts))
    for pk, name in Category.objects.values_list("pk", "name"):
        yield Entry("category", name, pk)
    for pk, name in known_names():
        yield Entry("person", name, pk)
    for pk, title in Album.objects.values_list("pk", "title"):
        yield Entry("album", title, pk)
    places = {name for names in Place.objects.values_list("city", "region", "country") for name in names}
    for name in sorted(places - {""}):
        yield Entry("place", name, name)
    with connection.cursor() as cursor:
        cursor.execute(_CAMERAS)
        for make, model in cursor.fetchall():
            yield Entry("camera", _camera(make, model), (make, model))


def _fewest(name: Iterable[str], counts: dict[str, int]) -> int:
    """How many photos at most have a name of these words."""
    return min((counts.get(word, 0) for word in name), default=0)


def _camera(make: str, model: str) -> str:
    """As ``Photo.camera`` says it."""
    return model if model.casefold().startswith(make.casefold()) else f"{make} {model}".strip()
