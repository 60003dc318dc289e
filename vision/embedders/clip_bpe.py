"""CLIP's own tokenizer, which OpenCLIP keeps as a list of merges, as a ``tokenizers`` tokenizer.

Same ids as ``open_clip.SimpleTokenizer`` for cleaned, lower-case text: byte-level BPE with ``</w>`` at the
end of a word (Radford et al. 2021, https://github.com/openai/CLIP).
"""

from __future__ import annotations

from typing import Any

#: Contractions, runs of letters, single digits, runs of anything else; blanks separate and vanish.
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
#: OpenCLIP fills up with zeros, and token 0 is this one.
PAD_TOKEN = "!"  # noqa: S105 - a token of text


def bpe_tokenizer(reference: Any) -> Any:
    """``open_clip.SimpleTokenizer`` to ``tokenizers.Tokenizer``; takes about a quarter of a second."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    merges = sorted(reference.bpe_ranks, key=reference.bpe_ranks.__getitem__)
    model = models.BPE(vocab=reference.encoder, merges=merges, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    specials = [reference.decoder[number] for number in reference.all_special_ids]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials])
    start, end = specials[0], specials[1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        special_tokens=[(start, reference.sot_token_id), (end, reference.eot_token_id)],
    )
    return tokenizer
