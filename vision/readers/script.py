"""A guess at the language of a text from its letters: only where the script, or the setting, settles it."""

from __future__ import annotations

import unicodedata

from vision.readers.languages import SCRIPTS, codes, family

#: Kana among this part of the letters makes a text Japanese: product names in kana stand in other texts too.
_KANA_SHARE = 0.1
#: Scripts of one language, as far as photos go.
_ONE_LANGUAGE = {"HANGUL": "ko", "GREEK": "el", "THAI": "th", "TAMIL": "ta", "TELUGU": "te"}


def language_of_script(text: str, setting: str = "auto") -> str:
    """ISO 639-1 code, or an empty string when nothing settles it.

    ``ja``, ``zh``, ``ko``, ``el``, ``th``, ``ta`` and ``te`` are told by their letters. Scripts of many
    languages count as the language of the setting (``OCR_LANGUAGE``) when it names exactly one and most
    letters are of its script.
    """
    names = [unicodedata.name(letter, "") for letter in text if letter.isalpha()]
    if not names:
        return ""
    if _share(names, "HIRAGANA", "KATAKANA") >= _KANA_SHARE:
        return "ja"
    if _share(names, "CJK UNIFIED") > 0.5:
        return "zh"
    for script, language in _ONE_LANGUAGE.items():
        if _share(names, script) > 0.5:
            return language
    return _as_set(names, setting)


def _as_set(names: list[str], setting: str) -> str:
    wanted = codes(setting)
    scripts = ("LATIN",) if wanted == ("en",) else SCRIPTS[family(setting) or "latin"]
    return wanted[0] if len(wanted) == 1 and _share(names, *scripts) > 0.5 else ""


def _share(names: list[str], *scripts: str) -> float:
    return sum(name.startswith(scripts) for name in names) / len(names)
