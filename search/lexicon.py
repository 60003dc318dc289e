"""Everything that has a name, in the memory of the process, to be found by how it begins.

Read from the database when the library changed, at most every ``READ_EVERY`` seconds: suggestions may be a
little late. Who may know of a name is not decided here but at every request (``search.suggest``).
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from library.models import Album, Category, DetectedObject, Tag
from people.models import Person
from search import changes
from search.cache_models import VocabularyWord
from search.text import words
from search.vocabulary import is_word

Kind = Literal["field", "person", "tag", "category", "album", "camera", "word"]

READ_EVERY: Final = 30.0
MOST_WORDS: Final = 50_000
"""The words that most photos have; the others can be searched, but are not suggested."""

READ_IN_PICTURES: Final = 3
"""In so many photos a word must be that was only read in pictures: reading makes up words, too."""

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
    """Something with a name. ``key`` is its row, or for cameras and words what names it."""

    kind: Kind
    name: str
    key: int | str | tuple[str, str]
    photos: int = 0


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All names by the beginnings of their words; ``spellings`` are all single words of them, each once."""

    starts: list[tuple[str, int, Entry]]
    spellings: list[str]

    def beginning_with(self, prefix: str, most: int) -> Iterator[tuple[bool, Entry]]:
        """Names of which a word, or several from there on, begin so; whether it is the first word."""
        at = bisect_left(self.starts, prefix, key=lambda start: start[0])
        for start, position, entry in self.starts[at : at + most]:
            if not start.startswith(prefix):
                return
            yield position == 0, entry

    def having(self, word: str) -> Iterator[Entry]:
        """Names that have this folded word."""
        at = bisect_left(self.starts, word, key=lambda start: start[0])
        for number in range(at, len(self.starts)):
            start, _, entry = self.starts[number]
            if start != word and not start.startswith(f"{word} "):
                return
            yield entry


_lock = threading.Lock()
_read: tuple[float, str, Lexicon] | None = None


def lexicon() -> Lexicon:
    """The names of today, or those of up to ``READ_EVERY`` seconds ago."""
    global _read
    now = time.monotonic()
    known = _read
    if known is not None and now - known[0] < READ_EVERY:
        return known[2]
    with _lock:
        known = _read
        if known is not None and now - known[0] < READ_EVERY:
            return known[2]
        version = changes.version()
        names = known[2] if known is not None and known[1] == version else _build()
        _read = (now, version, names)
        return names


def forget() -> None:
    """Read anew at the next request."""
    global _read
    _read = None


def _build() -> Lexicon:
    kept = VocabularyWord.objects.filter(Q(named=True) | Q(photos__gte=READ_IN_PICTURES))
    counts = dict(kept.order_by("-photos", "word").values_list("word", "photos")[:MOST_WORDS])
    starts = [(word, 0, Entry("word", word, word, photos)) for word, photos in counts.items()]
    for entry in _names(counts):
        folded = words(entry.name)
        starts += [(" ".join(folded[position:]), position, entry) for position in range(len(folded))]
    starts.sort(key=lambda start: start[:2])
    single = {start.partition(" ")[0] for start, _, _ in starts}
    return Lexicon(starts, sorted(word for word in single if is_word(word)))


def _names(counts: dict[str, int]) -> Iterator[Entry]:
    tagged = Tag.objects.filter(Exists(DetectedObject.objects.filter(tag=OuterRef("pk"))))
    for pk, name in tagged.values_list("pk", "name"):
        yield Entry("tag", name, pk, _fewest(words(name), counts))
    for pk, name in Category.objects.values_list("pk", "name"):
        yield Entry("category", name, pk)
    for pk, name in Person.objects.filter(hidden=False).exclude(name="").values_list("pk", "name"):
        yield Entry("person", name, pk)
    for pk, title in Album.objects.values_list("pk", "title"):
        yield Entry("album", title, pk)
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
