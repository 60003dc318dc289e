"""The words of the library: what can be suggested, and what misspelt words can be corrected to.

``search.indexing`` tells the words of every document it writes, as they are (a document itself holds stems,
too, which nobody would want to be offered). How many photos have each word is counted later, at leisure:
PostgreSQL goes over all documents (``ts_stat``), a matter of seconds for a hundred thousand photos.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from search import changes
from search.cache_models import VocabularyCount

SHORTEST: Final = 3
LONGEST: Final = 24
"""Letters of a word. What is shorter needs no help, what is longer was not meant as a word."""

COUNT_EVERY: Final = timedelta(minutes=10)
COUNT_SHARE: Final = 60
"""Counting takes at most one part in so many of the time: a long count is followed by a long pause."""

_COUNT_LOCK: Final = 0x4E1A_0004
_NOTED_AT_MOST: Final = 300_000
_NOTED_SECONDS: Final = 600

_NOTE: Final = """
INSERT INTO search_vocabularyword (word, photos, named)
SELECT word, 0, named FROM unnest(%s::text[], %s::bool[]) AS told (word, named) ORDER BY word
ON CONFLICT (word) DO UPDATE SET named = true WHERE excluded.named AND NOT search_vocabularyword.named
"""

# One statement, one snapshot: a word is told after its document was committed, so a word that is seen here
# without a document has none any more.
_COUNT: Final = """
WITH counted AS MATERIALIZED (
    SELECT word, ndoc FROM ts_stat('SELECT document FROM search_searchdocument')
), gone AS (
    DELETE FROM search_vocabularyword AS known
    WHERE NOT EXISTS (SELECT FROM counted WHERE counted.word = known.word)
)
UPDATE search_vocabularyword AS known SET photos = counted.ndoc
FROM counted WHERE counted.word = known.word AND known.photos <> counted.ndoc
"""


class _Noted:
    """What this process told lately, so that the same words are not written again with every batch."""

    def __init__(self) -> None:
        self._words: dict[str, bool] = {}
        self._since = time.monotonic()

    def news(self, words: Mapping[str, bool]) -> dict[str, bool]:
        """Those of the words that were not told yet, or not as named."""
        if len(self._words) > _NOTED_AT_MOST or time.monotonic() - self._since > _NOTED_SECONDS:
            self.clear()
        return {
            word: named
            for word, named in words.items()
            if word not in self._words or (named and not self._words[word])
        }

    def add(self, words: Mapping[str, bool]) -> None:
        """They were told."""
        self._words.update(words)

    def clear(self) -> None:
        """Forget, since others may have deleted words."""
        self._words = {}
        self._since = time.monotonic()


_noted = _Noted()


def forget() -> None:
    """Empty the memory of this process."""
    _noted.clear()


def note(documents: Iterable[Mapping[str, str]], gap: str) -> None:
    """Tell the words of documents (by weight, as ``search.indexing`` writes them) once they are committed."""
    words: dict[str, bool] = {}
    for document in documents:
        for weight, text in document.items():
            named = weight != "B"
            for word in text.split():
                if is_word(word) and word != gap:
                    words[word] = words.get(word, False) or named
    news = _noted.news(words)
    if news:
        transaction.on_commit(partial(_tell, news), robust=True)


def is_word(text: str) -> bool:
    """Whether a folded word is one that people write and can misspell: letters only."""
    return SHORTEST <= len(text) <= LONGEST and text.isalpha()


def _tell(words: dict[str, bool]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [list(words), list(words.values())])
    _noted.add(words)


def count_if_due() -> bool:
    """Count when something changed since the last time and that was long enough ago; whether it did."""
    last = VocabularyCount.objects.first()
    if last is not None:
        pause = max(COUNT_EVERY, COUNT_SHARE * timedelta(milliseconds=last.milliseconds))
        if timezone.now() - last.at < pause or last.version == changes.version():
            return False
    return count()


def count() -> bool:
    """Count in how many documents each word is, and forget words that are in none any more.

    False, and nothing done, when another process is at it.
    """
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_COUNT_LOCK])
        if not cursor.fetchone()[0]:
            return False
        version = changes.version()
        cursor.execute(_COUNT)
        VocabularyCount.objects.update_or_create(
            pk=1,
            defaults={
                "at": timezone.now(),
                "milliseconds": round(1000 * (time.perf_counter() - started)),
                "version": version,
            },
        )
    return True
