"""What a language model answered → a description fit to be stored, searched and read aloud. Pure.

Small models under greedy decoding may repeat themselves without end (Holtzman et al., "The Curious Case of
Neural Text Degeneration", 2020), and an answer that reaches the token limit stops within a word. Both are cut
off; what is left is whole sentences, or nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MOST_CHARACTERS = 1_000
#: As many times in a row makes a phrase a loop; twice occurs in good texts ("very very old").
_LOOP = 3
_LONGEST_PHRASE = 12
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s|$)|[。！？]+[”’」』）]*")
#: Words after which a full stop ends no sentence.
_ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "mt", "jr", "sr", "no", "vs", "ca", "approx"}
)
_QUOTES = {'"': '"', "“": "”", "'": "'"}


def clean(answer: str, *, finished: bool) -> str:
    """The answer in one line, without control characters, loops and half sentences; empty when none is left.

    ``finished`` says that the model ended by itself: then a text without a full stop at its end stays.
    """
    text = _unquoted(_plain(answer))
    kept = _without_repeated_sentences(_without_loop(text))
    looped = len(kept) < len(text)
    if len(kept) > MOST_CHARACTERS:
        kept, finished, looped = kept[:MOST_CHARACTERS], False, False
    if looped or not finished:
        kept = _up_to_last_sentence(kept, in_a_word=not looped)
    return kept if sum(character.isalpha() for character in kept) > 1 else ""


def first_sentence(text: str, most: int = 160) -> str:
    """The first sentence without its full stop, cut between words after ``most`` characters."""
    ends = _sentence_ends(text)
    sentence = text[: ends[0]] if ends else text
    sentence = sentence.strip().rstrip(".。")
    if len(sentence) <= most:
        return sentence
    return sentence[: most - 1].rsplit(" ", 1)[0].rstrip(" ,;:–-") + "…"


def _plain(text: str) -> str:
    """Composed characters, blanks for whatever is no character to be seen, one blank at a time."""
    composed = unicodedata.normalize("NFC", text).replace("\N{REPLACEMENT CHARACTER}", " ")
    # Joiners and variation selectors belong to letters and emoji; other format characters turn text around.
    seen = (c if c in "\u200c\u200d" or unicodedata.category(c)[0] != "C" else " " for c in composed)
    return " ".join("".join(seen).split())


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[:1])
    if closing and len(text) > 1 and text[-1] == closing and closing not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _without_loop(text: str) -> str:
    """Cut where one phrase of up to twelve words follows itself for the third time: one of them is kept."""
    words = text.split(" ")
    folded = [word.casefold().strip(".,;:!?") for word in words]
    for start in range(len(words)):
        for size in range(1, _LONGEST_PHRASE + 1):
            if _is_loop(folded, start, size):
                return " ".join(words[: start + size])
    return _without_letter_loop(text)


def _is_loop(words: Sequence[str], start: int, size: int) -> bool:
    phrase = words[start : start + size]
    return len(words) >= start + _LOOP * size and all(
        words[start + turn * size : start + (turn + 1) * size] == phrase for turn in range(1, _LOOP)
    )


def _without_letter_loop(text: str) -> str:
    """Cut before a few characters that follow each other eight times (``!!!!!!!!``, ``hahahahahahahaha``)."""
    loop = re.search(r"(.{1,12}?)\1{7,}", text)
    return text[: loop.start()].rstrip() if loop else text


def _without_repeated_sentences(text: str) -> str:
    """Cut before the first sentence that stood there before."""
    seen: set[str] = set()
    start = 0
    for end in [*_sentence_ends(text), len(text)]:
        sentence = text[start:end].strip().casefold()
        if sentence in seen:
            return text[:start].strip()
        seen.add(sentence)
        start = end
    return text


def _up_to_last_sentence(text: str, *, in_a_word: bool) -> str:
    """Whole sentences; when there is none, whole words and a sign that something is missing."""
    ends = _sentence_ends(text)
    if ends:
        return text[: ends[-1]].strip()
    words = (text.rsplit(" ", 1)[0] if in_a_word else text).rstrip(" ,;:–-")
    return f"{words}…" if words else ""


def _sentence_ends(text: str) -> list[int]:
    """Positions behind each sentence."""
    return [match.end() for match in _END.finditer(text) if not _is_abbreviation(text, match.start())]


def _is_abbreviation(text: str, stop: int) -> bool:
    before = re.search(r"[\w.]*$", text[:stop])
    word = before[0].casefold() if before else ""
    return text[stop] == "." and (
        word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()) or "." in word
    )
