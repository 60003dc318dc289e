"""A vision-language model small enough for tests: SmolVLM's architecture and files, random weights.

SmolVLM-500M is an ``idefics3`` model; so is this one: its image processor with splitting, its special tokens,
its chat template, and a tokenizer of whole words.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from vision.results import RGBImage

#: "Ġ" stands for the blank before a word.
WORDS = (
    *("Ġa", "Ġthe", "Ġcat", "Ġdog", "Ġball", "Ġgrass", "Ġbeach", "Ġsun", "Ġred", "Ġold"),
    *("Ġsits", "Ġruns", "Ġon", "Ġin", "Ġwith", "Ġand", ".", ","),
)
START, END, TURN, PAD, UNKNOWN = "<|im_start|>", "<|endoftext|>", "<end_of_utterance>", "<|pad|>", "<unk>"
SPECIAL = (END, START, TURN, PAD, UNKNOWN, "<image>", "<fake_token_around_image>", "<global-img>")
ROWS = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
_TILE = 32
_PATCH = 8
_SCALE = 2
_torchvision: Any = None


def pretend_torchvision() -> None:
    """Let torchvision be imported beside a torch build without its operators (it is read, never run)."""
    global _torchvision
    import torch

    with contextlib.suppress(RuntimeError, AttributeError):
        import torchvision  # noqa: F401 - one that fits brings them

        torch.ops.torchvision.nms  # noqa: B018 - raises when the operator is not there
        return
    _torchvision = torch.library.Library("torchvision", "DEF")
    _torchvision.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _torchvision.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def build_describer_folder(folder: Path, *, seed: int = 3, ends: bool = True) -> Path:
    """Write a model folder with the files that SmolVLM is published with. ``ends``: whether it ever stops."""
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    folder.mkdir(parents=True)
    ids = _write_tokenizer(folder)
    _write_processor(folder)
    torch.manual_seed(seed)
    config = Idefics3Config(
        image_token_id=ids["<image>"],
        pad_token_id=ids[PAD],
        scale_factor=_SCALE,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _TILE,
            "patch_size": _PATCH,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(ids),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "pad_token_id": ids[PAD],
            "bos_token_id": ids[START],
            "eos_token_id": ids[TURN],
        },
    )
    network = Idefics3ForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 2.5 * weight.shape[-1] ** -0.5)
            elif name.endswith("bias"):
                weight.zero_()
        # Only words, and the end of the turn, are ever said.
        head = network.lm_head.weight
        silent = [number for word, number in ids.items() if word not in (*WORDS, TURN)]
        head[silent] = 0
        if not ends:
            head[ids[TURN]] = 0
    network.generation_config.eos_token_id = ids[TURN]
    network.generation_config.pad_token_id = ids[PAD]
    network.save_pretrained(folder)
    return folder


def _write_tokenizer(folder: Path) -> dict[str, int]:
    words = (*SPECIAL, *ROWS, *WORDS)
    ids = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL, *ROWS])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": TURN,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "processor_class": "Idefics3Processor",
    }
    _write(folder / "tokenizer_config.json", settings)
    return ids


def _write_processor(folder: Path) -> None:
    settings = {
        "image_processor_type": "Idefics3ImageProcessor",
        "processor_class": "Idefics3Processor",
        "do_convert_rgb": True,
        "do_image_splitting": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "max_image_size": {"longest_edge": _TILE},
        "resample": 1,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": 2 * _TILE},
    }
    _write(folder / "preprocessor_config.json", settings)
    length = (_TILE // _PATCH // _SCALE) ** 2
    _write(
        folder / "processor_config.json", {"image_seq_len": length, "processor_class": "Idefics3Processor"}
    )
    _write(folder / "chat_template.json", {"chat_template": TEMPLATE})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def pictures() -> list[RGBImage]:
    """Landscape, portrait, square, tiny: they split into different numbers of tiles."""
    random = np.random.default_rng(5)
    sizes = ((48, 90), (90, 48), (64, 64), (9, 11), (20, 120))
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
