"""From texts to the token rows a CLIP text tower reads."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.embedders.clip_folder import REMEDY, ClipFolder
from vision.errors import EngineUnavailable
from vision.weights import check_file

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def canonicalize(text: str) -> str:
    """Clean a text as SigLIP does (Big Vision's function): no punctuation, lower case, single spaces."""
    return collapse_spaces(text.replace("_", " ").translate(_NO_PUNCTUATION).lower())


def collapse_spaces(text: str) -> str:
    """One space between words, none around."""
    return " ".join(text.split())


class ClipTokenizer:
    """Rows of exactly ``context_length`` tokens: cut so that the end token stays, then padded."""

    def __init__(self, folder: ClipFolder) -> None:
        self._clean = canonicalize if folder.canonicalize else collapse_spaces
        self._tokenizer = _load(folder)

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """[N] texts to int64 [N, context_length]."""
        rows = self._tokenizer.encode_batch([self._clean(text) for text in texts])
        return np.asarray([row.ids for row in rows], dtype=np.int64)


def _load(folder: ClipFolder) -> Any:
    from tokenizers import Tokenizer

    check_file(folder.tokenizer)
    try:
        tokenizer = Tokenizer.from_file(str(folder.tokenizer))
    except Exception as error:  # tokenizers raises plain Exception
        raise EngineUnavailable(f"{folder.tokenizer} cannot be used: {error}.", REMEDY) from error
    pad_id = tokenizer.token_to_id(folder.pad_token)
    if pad_id is None:
        reason = (
            f"{folder.tokenizer} does not know the pad token {folder.pad_token!r} of tokenizer_config.json."
        )
        raise EngineUnavailable(reason, REMEDY)
    tokenizer.enable_truncation(max_length=folder.context_length)
    tokenizer.enable_padding(length=folder.context_length, pad_id=pad_id, pad_token=folder.pad_token)
    return tokenizer
