"""Which recognition model reads which language: the families of PP-OCRv5, as PaddleOCR 3 groups them.

A family is one model. All of them read English letters and digits beside their own script; the main one
(``ch``) reads Chinese, Japanese and English.
"""

from __future__ import annotations

import re

from vision.errors import EngineUnavailable

AUTO = "auto"
MAIN = "ch"
LATIN = "latin"

#: Family to language codes (ISO 639; ``rs`` is PaddleOCR's Serbian, here ``sr``). Where two families read a
#: language the first is preferred: ``eslav`` is the better one for Russian, Ukrainian and Belarusian.
FAMILIES: dict[str, frozenset[str]] = {
    name: frozenset(languages.split())
    for name, languages in {
        MAIN: "zh ja en",
        "eslav": "ru be uk",
        "cyrillic": "ru be uk bg mk sr mn kk ky tg tt cv ba os",
        LATIN: "af az bs ca cs cy da de es et eu fi fr ga gl hr hu id is it ku la lb lt lv mi ms mt nl no oc "
        "pl pt qu rm ro sk sl sq sv sw tl tr uz vi",
        "arabic": "ar fa ug ur ps ku sd",
        "devanagari": "hi mr ne sa mai bho",
        "korean": "ko",
        "th": "th",
        "el": "el",
        "ta": "ta",
        "te": "te",
    }.items()
}
#: Names that PaddleOCR, Tesseract or people use.
_ALSO = {
    "ch": "zh",
    "chinese": "zh",
    "chinese_cht": "zh",
    "zh-cn": "zh",
    "zh-tw": "zh",
    "japan": "ja",
    "japanese": "ja",
    "korean": "ko",
    "english": "en",
    "german": "de",
    "french": "fr",
    "nb": "no",
    "nn": "no",
}
#: What the letters of a family are called in Unicode; Latin letters belong to every family.
SCRIPTS: dict[str, tuple[str, ...]] = {
    MAIN: ("CJK", "HIRAGANA", "KATAKANA", "LATIN"),
    "eslav": ("CYRILLIC",),
    "cyrillic": ("CYRILLIC",),
    LATIN: ("LATIN",),
    "arabic": ("ARABIC",),
    "devanagari": ("DEVANAGARI",),
    "korean": ("HANGUL",),
    "th": ("THAI",),
    "el": ("GREEK",),
    "ta": ("TAMIL",),
    "te": ("TELUGU",),
}


def codes(setting: str) -> tuple[str, ...]:
    """``"de, en"`` as ``("de", "en")``; ``auto`` as nothing. Raises EngineUnavailable with all known."""
    names = [name for name in re.split(r"[,;\s+]+", setting.strip().lower()) if name]
    if names in ([], [AUTO]):
        return ()
    known = frozenset().union(*FAMILIES.values())
    found = tuple(dict.fromkeys(_ALSO.get(name, name) for name in names))
    unknown = [code for code in found if code not in known]
    if unknown:
        raise EngineUnavailable(
            f"OCR_LANGUAGE names {', '.join(unknown)}, which no reader knows.",
            f"Set it to auto, or to one or more of {' '.join(sorted(known))}.",
        )
    return found


def family(setting: str) -> str | None:
    """The family that reads all languages of the setting; None for ``auto``.

    English goes with every family. Raises EngineUnavailable for an unknown language, or when no single model
    reads all of them.
    """
    wanted = codes(setting)
    if not wanted:
        return None
    others = set(wanted) - {"en"}
    for name, languages in FAMILIES.items():
        if others <= languages:
            return name
    raise EngineUnavailable(
        f"No single model reads all of OCR_LANGUAGE={setting}.",
        "Name languages that share a script (English goes with each of them), or set it to auto.",
    )
