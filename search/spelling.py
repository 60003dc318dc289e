"""Misspelt words of a query → words that the library has.

Compared by optimal string alignment (insertions, deletions, substitutions and swapped neighbours count one
each; ``rapidfuzz``): one mistake in four to seven letters, two in longer words. A word that exists is never
corrected: one that is found in a photo this person may see, one of our own list of everyday words, or one
that the model knows as a whole word, since it can be found by meaning. And words are only corrected to what
this person may know of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rapidfuzz import process
from rapidfuzz.distance import OSA

from search import filters
from search.expansion import is_listed
from search.lexicon import Entry, Lexicon, lexicon
from search.library_words import is_word
from search.query import Clause, Field, SearchQuery, Term
from search.rights import known
from search.terms import with_terms

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User = AbstractBaseUser | AnonymousUser

SHORTEST: Final = 4
TWO_MISTAKES: Final = 8
"""Letters from which on two mistakes are forgiven."""

CANDIDATES: Final = 12
MOST_WORDS: Final = 8
"""Words of one query that are looked at."""

_SMALL_WORDS: Final = Path(__file__).parent / "data" / "small_words.txt"


@dataclass(frozen=True, slots=True)
class Correction:
    """A query with its misspelt words put right; ``words`` are pairs of what was typed and what was meant."""

    query: SearchQuery
    words: tuple[tuple[str, str], ...]


def never(word: str) -> bool:
    """The model that knows no word."""
    return False


def correct(query: SearchQuery, user: User, *, knows: Callable[[str], bool] = never) -> Correction | None:
    """The query as it was probably meant; None when nothing is misspelt or nothing comes near.

    Only free words are looked at: quoted ones, fields and excluded words are meant as they are. ``knows``
    says whether the model knows a word; it is asked last.
    """
    meant: dict[str, str] = {}
    for word in list(dict.fromkeys(_suspects(query)))[:MOST_WORDS]:
        better = _better(word, user, knows)
        if better:
            meant[word] = better
    if not meant:
        return None

    def put_right(term: Term) -> Term:
        word = _single(term)
        return Term(meant[word]) if word in meant else term

    return Correction(with_terms(query, put_right), tuple(meant.items()))


def _suspects(query: SearchQuery) -> Iterator[str]:
    """Folded words that could be misspelt, before anything is asked of the library."""
    for clause in query.clauses:
        for atom in clause.leaves():
            word = _single(atom)
            if len(word) >= SHORTEST and is_word(word) and word not in _small_words() and not is_listed(word):
                yield word


def _single(atom: Term | Field) -> str:
    """The folded word of a free word; empty for everything else."""
    if isinstance(atom, Term) and not atom.quoted and len(atom.words) == 1:
        return atom.words[0]
    return ""


def _better(word: str, user: User, knows: Callable[[str], bool]) -> str | None:
    """The word that was meant; None when this one is right, or nothing that this person may know is near."""
    names = lexicon()
    near = [(candidate, distance) for candidate, distance in _near(word, names) if distance]
    if not near or _exists(word, names, user):
        return None
    entries = {candidate: list(names.having(candidate)) for candidate, _ in near}
    told = set(known([entry for found in entries.values() for entry in found], user))
    allowed = [item for item in near if any(entry in told for entry in entries[item[0]])]
    if not allowed or knows(word):
        return None

    def rank(item: tuple[str, int]) -> tuple[int, bool, int, str]:
        candidate, mistakes = item
        return mistakes, candidate[0] != word[0], -_photos(entries[candidate]), candidate

    return min(allowed, key=rank)[0]


def _near(word: str, names: Lexicon) -> list[tuple[str, int]]:
    """Words of the library with few mistakes between, each with how many."""
    most = 1 if len(word) < TWO_MISTAKES else 2
    found = process.extract(
        word, names.spellings, scorer=OSA.distance, processor=None, score_cutoff=most, limit=CANDIDATES
    )
    return [(candidate, int(distance)) for candidate, distance, _ in found]


def _exists(word: str, names: Lexicon, user: User) -> bool:
    """Whether this person finds something by this very word, or somebody or something is called so."""
    query = SearchQuery((Clause((Term(word, quoted=True),)),))
    return filters.eligible(query, user).photos.exists() or bool(known(names.having(word), user))


@cache
def _small_words() -> frozenset[str]:
    lines = _SMALL_WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _photos(entries: list[Entry]) -> int:
    return max((entry.photos for entry in entries), default=0)
