"""The list of tags that the zero-shot tagger looks for beside those it is given: shipped, or a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from vision.errors import EngineUnavailable

EVERYDAY: Final = Path(__file__).with_name("everyday_tags.txt")
MAX_LENGTH: Final = 100
"""Characters of a tag: what the library stores."""

MAX_WORDS: Final = 20_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REMEDY = (
    "TAG_LIST is `everyday`, `none`, or a UTF-8 text file with a tag a line, `tag = phrase` where it is put "
    "differently to the model, and comments after `#`."
)


def read_tag_list(setting: str) -> Mapping[str, str]:
    """Tag to phrase, in the order of the file; the phrase is empty where the tag speaks for itself.

    ``setting`` is ``everyday``, ``none`` (an empty list) or a path. A file is read again when it changed.
    Raises EngineUnavailable naming the file, and the line where there is one.
    """
    if setting == "none":
        return {}
    path = EVERYDAY if setting == "everyday" else Path(setting).expanduser()
    try:
        found = path.stat()
        return _read(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise EngineUnavailable(
            f"The list of tags {path} cannot be read: {error.strerror}.", _REMEDY
        ) from error


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int, size: int) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    spelt: dict[str, str] = {}
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            tag, phrase = _parse(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw)
            if tag and phrase != tags.setdefault(spelt.setdefault(tag.casefold(), tag), phrase):
                raise ValueError(f"{tag!r} stands in the list before, with another phrase")
        except ValueError as error:
            raise EngineUnavailable(f"The list of tags {path}, line {number}: {error}.", _REMEDY) from error
    if not tags:
        raise EngineUnavailable(f"The list of tags {path} is empty.", _REMEDY)
    if len(tags) > MAX_WORDS:
        raise EngineUnavailable(f"The list of tags {path} has more than {MAX_WORDS} tags.", _REMEDY)
    return MappingProxyType(tags)


def _parse(raw: bytes) -> tuple[str, str]:
    """Tag and phrase of a line; both empty when it says nothing. Raises ValueError with the reason."""
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    if not text:
        return "", ""
    if _CONTROL.search(text.replace("\t", " ")):
        raise ValueError("contains a control character")
    tag, equals, phrase = (" ".join(part.split()) for part in text.partition("="))
    if not tag:
        raise ValueError("there is no tag before '='")
    if equals and not phrase:
        raise ValueError("there is no phrase after '='")
    if len(tag) > MAX_LENGTH:
        raise ValueError(f"a tag has at most {MAX_LENGTH} characters, this has {len(tag)}")
    return tag, phrase
