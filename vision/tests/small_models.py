"""Tiny CLIP-shaped models in the layout of the public ONNX exports, built in a moment and always the same.

The image tower averages patches and multiplies by fixed random weights; the text tower averages fixed random
token vectors. They know nothing, but their names, types, shapes and files are those of real exports.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = ("a", "photo", "of", "cat", "dog", "house", "the", "sea", "in", "with", "picture", "it", "an")
PAD, START, END, UNKNOWN = "!", "<start>", "<end>", "<unk>"
VOCABULARY = {word: number for number, word in enumerate((PAD, START, END, UNKNOWN, *WORDS))}
DIMENSIONS = 16
_PATCH = 8


@dataclass(frozen=True)
class Variant:
    """How an export names and shapes things."""

    image_input: str
    text_input: str
    text_type: int
    batch: int | str
    normalised: bool
    image_type: int = TensorProto.FLOAT


#: As the models of the public hub folders: fixed batch, 32-bit tokens, vectors as they come.
FIXED = Variant("image", "text", TensorProto.INT32, 1, normalised=False)
#: As exports of the transformers library: free batch, 64-bit tokens, unit vectors.
FREE = Variant("pixel_values", "input_ids", TensorProto.INT64, "N", normalised=True)


def build_clip_folder(
    folder: Path,
    variant: Variant = FREE,
    *,
    size: int = 32,
    context_length: int = 8,
    seed: int = 0,
    text_cfg: dict[str, Any] | None = None,
    preprocess: dict[str, Any] | None = None,
    poison: bool = False,
) -> Path:
    """Write a model folder and return it. ``poison`` makes the image tower answer NaN."""
    (folder / "visual").mkdir(parents=True)
    (folder / "textual").mkdir()
    config = {"embed_dim": DIMENSIONS, "text_cfg": {"context_length": context_length, **(text_cfg or {})}}
    settings = {
        "size": [size, size],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        **(preprocess or {}),
    }
    _write_json(folder / "config.json", config)
    _write_json(folder / "visual" / "preprocess_cfg.json", settings)
    _write_json(folder / "textual" / "tokenizer_config.json", {"pad_token": PAD})
    build_tokenizer().save(str(folder / "textual" / "tokenizer.json"))
    random = np.random.default_rng(seed)
    onnx.save(_image_tower(variant, size, random, poison=poison), folder / "visual" / "model.onnx")
    onnx.save(_text_tower(variant, context_length, random), folder / "textual" / "model.onnx")
    return folder


def build_tokenizer() -> Tokenizer:
    """Whole words, lower case, framed by a start and an end token."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, VOCABULARY[START]), (END, VOCABULARY[END])]
    )
    return tokenizer


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _image_tower(
    variant: Variant, size: int, random: np.random.Generator, *, poison: bool
) -> onnx.ModelProto:
    features = 3 * (size // _PATCH) ** 2
    weights = random.standard_normal((features, DIMENSIONS)).astype(np.float32)
    if poison:
        weights[:] = np.nan
    nodes = [
        helper.make_node(
            "AveragePool", ["picture"], ["pooled"], kernel_shape=[_PATCH] * 2, strides=[_PATCH] * 2
        ),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["raw"]),
    ]
    if variant.image_type != TensorProto.FLOAT:
        nodes.insert(0, helper.make_node("Cast", [variant.image_input], ["picture"], to=TensorProto.FLOAT))
    else:
        nodes.insert(0, helper.make_node("Identity", [variant.image_input], ["picture"]))
    graph_input = helper.make_tensor_value_info(
        variant.image_input, variant.image_type, [variant.batch, 3, size, size]
    )
    return _model(variant, nodes, graph_input, {"weights": weights})


def _text_tower(variant: Variant, context_length: int, random: np.random.Generator) -> onnx.ModelProto:
    table = random.standard_normal((len(VOCABULARY), DIMENSIONS)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", variant.text_input], ["tokens"]),
        helper.make_node("ReduceMean", ["tokens", "axes"], ["raw"], keepdims=0),
    ]
    graph_input = helper.make_tensor_value_info(
        variant.text_input, variant.text_type, [variant.batch, context_length]
    )
    return _model(variant, nodes, graph_input, {"table": table, "axes": np.array([1], dtype=np.int64)})


def _model(
    variant: Variant, nodes: list[Any], graph_input: Any, constants: dict[str, np.ndarray]
) -> onnx.ModelProto:
    last = "LpNormalization" if variant.normalised else "Identity"
    attributes = {"axis": 1, "p": 2} if variant.normalised else {}
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [variant.batch, DIMENSIONS])
    graph = helper.make_graph(
        [*nodes, helper.make_node(last, ["raw"], ["embedding"], **attributes)],
        "tower",
        [graph_input],
        [output],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
