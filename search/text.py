"""How text becomes comparable: the same folding and the same words when indexing and when querying.

PostgreSQL never folds anything here: it sees lower-case words without accents, separated by spaces, so
that every server (with or without extensions, whatever its locale) finds the same photos.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

MAX_WORD_LENGTH = 100
"""Characters of a word that count; a lexeme of PostgreSQL may have 2046 bytes."""

# Letters that Unicode does not take apart, but that people type without their strokes.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"}
)
# Marks that people leave out when they type: accents, and the points of Hebrew and Arabic. The vowel signs of
# Indic scripts, the voicing marks of kana and the like are letters to their readers and stay.
_OPTIONAL_MARKS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0591-\u05c7\u064b-\u065f\u0670]"
)
# Scripts written without spaces between words (Hangul because of its particles): every character is a word
# of its own, and a run of them is searched as a phrase.
_CHARACTERWISE = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\U00020000-\U000323af"
)
# What the loop over characters does, for texts without any other.
_ASCII_CONTROLS = {code: " " if chr(code).isspace() else None for code in (*range(32), 127)}
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_CHARACTER = re.compile(f"[{_CHARACTERWISE}]")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_DIGITS = re.compile(r"\d+|\D+")


def clean(text: str) -> str:
    """The text without what cannot be stored or seen: controls, format characters, lone surrogates.

    White space of every kind becomes a plain blank.
    """
    if text.isascii():
        return text.translate(_ASCII_CONTROLS)
    return "".join(_clean_characters(text))


def _clean_characters(text: str) -> Iterator[str]:
    for character in text:
        if character.isspace():
            yield " "
        elif unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn"):
            yield character


def fold(text: str) -> str:
    """The text for comparing: compatibility forms unified, accents and case removed, ``ß`` as ``ss``.

    Folding what is folded changes nothing.
    """
    if text.isascii():
        return " ".join(clean(text).lower().split())
    plain = _without_accents(clean(text)).casefold().translate(_PLAIN_LETTERS)
    # Case folding may bring compatibility forms and marks back (ypogegrammeni, for one).
    return " ".join(_without_accents(plain).split())


def _without_accents(text: str) -> str:
    return unicodedata.normalize("NFC", _OPTIONAL_MARKS.sub("", unicodedata.normalize("NFKD", text)))


def words(text: str) -> list[str]:
    """The folded words of a text in their order: letters and digits with their marks, nothing else.

    See ``_CHARACTERWISE`` for scripts without spaces.
    """
    folded = fold(text)
    if folded.isascii():
        found = _ASCII_WORD.findall(folded)
    else:
        found = [folded[start:end] for start, end in _runs(folded)]
    return [word[:MAX_WORD_LENGTH] for word in found]


@lru_cache(maxsize=100_000)
def folded(name: str) -> tuple[str, ...]:
    """Like ``words``, remembered: for names that are compared again and again."""
    return tuple(words(name))


def word_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Every word of the text as written: its folded form, and start and end in ``text``.

    A word whose folding falls apart (``½``) is given once for each part.
    """
    for start, end in _runs(text):
        for word in words(text[start:end]):
            yield word, start, end


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every word: runs of letters, digits and marks, or one character of some scripts."""
    start: int | None = None
    single = False
    for position, character in enumerate(text):
        kind = unicodedata.category(character)[0]
        alone = _CHARACTER.match(character) is not None
        if start is not None and (kind not in "LNM" or alone or (single and kind != "M")):
            yield start, position
            start = None
        if start is None and (alone or kind in "LN"):
            start, single = position, alone
    if start is not None:
        yield start, len(text)


def name_words(name: str) -> list[list[str]]:
    """The words of a file or folder name, in readings that are to be kept apart.

    ``IMG_vet-receipt2019`` gives ``[[img, vet, receipt, 2019], [receipt2019]]``: first the parts, split at
    punctuation, between letters and digits and at the humps of camelCase, then the runs that were split.
    """
    plain = _without_accents(clean(name)).replace("ß", "ss").translate(_PLAIN_LETTERS)
    runs = [plain[start:end] for start, end in _runs(plain)]
    split = [(_HUMPS if run.isascii() else _DIGITS).findall(run) for run in runs]
    parts = [word for run in split for part in run for word in words(part)]
    whole = [word for run in split if len(run) > 1 for word in words("".join(run))]
    return [reading for reading in (parts, whole) if reading]


def bounded(readings: Iterable[Iterable[str]], *, max_words: int, max_bytes: int) -> list[list[str]]:
    """The readings, cut where they exceed so many words or so many bytes of UTF-8 together."""
    kept: list[list[str]] = []
    for reading in readings:
        current: list[str] = []
        for word in reading:
            max_words -= 1
            max_bytes -= len(word.encode()) + 1
            if max_words < 0 or max_bytes < 0:
                return [*kept, current] if current else kept
            current.append(word)
        if current:
            kept.append(current)
    return kept


def phrase(terms: Iterable[str], weights: str = "") -> str:
    """Words as the text of a ``tsquery``: each following the one before, in fields of these weights only."""
    label = f":{weights}" if weights else ""
    return " <-> ".join(f"'{term}'{label}" for term in terms)
