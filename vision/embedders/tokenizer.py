"""From texts to the token rows a CLIP text tower reads."""

from __future__ import annotations

import html
import json
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from vision.errors import EngineUnavailable
from vision.weights import check_file

#: OpenCLIP's names for what is done to a text first: one space between words; lower case as well; SigLIP's.
Clean = Literal["whitespace", "lower", "canonicalize"]
_CLEANINGS = ("whitespace", "lower", "canonicalize")

#: Of the CLIPA models, which were trained without the separator that their tokenizer ends a text with.
_STRIP = "strip_sep_token"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_QUOTES = str.maketrans(
    {**dict.fromkeys("\u02bc\u2018\u2019\u201a\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201e\u201f", '"')}
)
#: Latin ligatures, full-width and half-width forms: the same letters in another dress.
_DRESSED = re.compile("[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06\uff01-\uffef\u3000]+")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A ``tokenizer.json`` and the rules for its use. ``remedy`` is what helps when it cannot be used.

    ``zeroed`` is a token whose id is replaced by 0, None for most models.
    """

    path: Path
    pad_token: str
    zeroed: str | None
    context_length: int
    clean: Clean
    remedy: str


def basic_clean(text: str) -> str:
    """What OpenCLIP does to every text: entities resolved, plain quotes and letters, composed accents.

    The effect of ``ftfy.fix_text`` and ``html.unescape`` on sound Unicode; text whose encoding was broken
    before it came here is not repaired.
    """
    text = html.unescape(html.unescape(text))
    text = _DRESSED.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text.translate(_QUOTES))
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


def canonicalize(text: str) -> str:
    """Clean a text as SigLIP does (Big Vision's function): no punctuation, lower case, single spaces."""
    return collapse_spaces(text.replace("_", " ").translate(_NO_PUNCTUATION).lower())


def collapse_spaces(text: str) -> str:
    """One space between words, none around."""
    return " ".join(text.split())


def cleaned(text: str, clean: Clean) -> str:
    """A text as the tokenizer wants it."""
    text = basic_clean(text)
    if clean == "canonicalize":
        return canonicalize(text)
    text = collapse_spaces(text)
    return text.lower() if clean == "lower" else text


def parse_clean(text_cfg: Mapping[str, Any], default: Clean) -> Clean:
    """``tokenizer_kwargs.clean`` of a model's text configuration.

    Raises ValueError for a cleaning, or another option, that would give tokens other than OpenCLIP's.
    """
    options = text_cfg.get("tokenizer_kwargs") or {}
    if not isinstance(options, dict):
        raise ValueError(f"tokenizer_kwargs is {options!r}, not an object")
    unknown = {name for name, value in options.items() if name not in ("clean", _STRIP) and value}
    clean = options.get("clean", default)
    if unknown or clean not in _CLEANINGS:
        raise ValueError(
            f"tokenizer_kwargs is {options!r}; known are strip_sep_token and clean: {', '.join(_CLEANINGS)}"
        )
    return cast(Clean, clean)


def read_zeroed(path: Path, text_cfg: Mapping[str, Any], remedy: str) -> str | None:
    """The token that this model wants replaced by 0, if any; ``path``: its ``tokenizer_config.json``."""
    options = text_cfg.get("tokenizer_kwargs") or {}
    return read_token(path, "sep_token", remedy) if options.get(_STRIP) else None


def read_token(path: Path, name: str, remedy: str) -> str:
    """Such as ``pad_token`` of a ``tokenizer_config.json``. Raises EngineUnavailable when it does not say."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        token = content.get(name)
    except (OSError, ValueError, AttributeError) as error:
        raise EngineUnavailable(f"{path} cannot be used: {error}.", remedy) from error
    if isinstance(token, dict):  # how the transformers library writes a token with properties
        token = token.get("content")
    if not isinstance(token, str) or not token:
        raise EngineUnavailable(f"{path} cannot be used: {name} is missing.", remedy)
    return token


class ClipTokenizer:
    """Rows of exactly ``context_length`` tokens: cut so that the end token stays, then padded.

    Takes over ``tokenizer`` (of the package ``tokenizers``). Raises ValueError when it lacks the pad token.
    """

    def __init__(
        self, tokenizer: Any, *, pad_token: str, context_length: int, clean: Clean, zeroed: str | None = None
    ) -> None:
        pad_id = tokenizer.token_to_id(pad_token)
        if pad_id is None:
            raise ValueError(f"does not know the pad token {pad_token!r} of tokenizer_config.json")
        tokenizer.enable_truncation(max_length=context_length)
        tokenizer.enable_padding(length=context_length, pad_id=pad_id, pad_token=pad_token)
        self._tokenizer = tokenizer
        self._clean: Clean = clean
        self._zeroed: int | None = tokenizer.token_to_id(zeroed) if zeroed else None

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """[N] texts to int64 [N, context_length]."""
        rows = self._tokenizer.encode_batch([cleaned(text, self._clean) for text in texts])
        ids = np.asarray([row.ids for row in rows], dtype=np.int64)
        return ids if self._zeroed is None else np.where(ids == self._zeroed, 0, ids)

    def is_one_token(self, word: str) -> bool:
        """Whether a word is in the vocabulary as a whole: common words are, misspelt ones fall apart."""
        encoding = self._tokenizer.encode(cleaned(word, self._clean), add_special_tokens=False)
        return int(sum(encoding.attention_mask)) == 1


def read_tokenizer(files: TokenizerFiles) -> ClipTokenizer:
    """Load it. Raises EngineUnavailable naming the file (WeightsDamaged: not what was downloaded)."""
    from tokenizers import Tokenizer

    check_file(files.path)
    try:
        tokenizer = Tokenizer.from_file(str(files.path))
    except Exception as error:  # tokenizers raises plain Exception
        raise EngineUnavailable(f"{files.path} cannot be used: {error}.", files.remedy) from error
    try:
        return ClipTokenizer(
            tokenizer,
            pad_token=files.pad_token,
            context_length=files.context_length,
            clean=files.clean,
            zeroed=files.zeroed,
        )
    except ValueError as error:
        raise EngineUnavailable(f"{files.path} {error}.", files.remedy) from error
