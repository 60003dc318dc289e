"""A guess at the language of a text from its letters alone: only where the script settles it."""

from __future__ import annotations

import unicodedata

#: Kana among this part of the letters makes a text Japanese: product names in kana stand in other texts too.
_KANA_SHARE = 0.1


def language_of_script(text: str) -> str:
    """``ja``, ``zh`` or ``el`` (ISO 639-1) when the letters say so, otherwise an empty string."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return ""
    names = [unicodedata.name(letter, "") for letter in letters]
    kana = sum(name.startswith(("HIRAGANA", "KATAKANA")) for name in names)
    han = sum(name.startswith("CJK UNIFIED") for name in names)
    greek = sum(name.startswith("GREEK") for name in names)
    if kana >= _KANA_SHARE * len(letters):
        return "ja"
    if han > len(letters) / 2:
        return "zh"
    if greek > len(letters) / 2:
        return "el"
    return ""
