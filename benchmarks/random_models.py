"""Full-size models with random weights, in the formats of the published ones, for ``benchmarks/engines.py``.

The speed of a network does not depend on its weights, but how many faces are found does: the detector's
bias is set so that on the pictures of the benchmark it finds a few (``faces_a_picture`` says how many).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vision.results import RGBImage

#: SCRFD-10GF, the detector of buffalo_l: blocks and channels of its four stages, and those of neck and head
#: (Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021).
_BLOCKS, _CHANNELS, _NECK, _HEAD, _STEM = (3, 4, 2, 3), (56, 88, 88, 224), 56, 80, 28
_STRIDES = (8, 16, 32)
_ANCHORS = 2
#: Of all places of all pictures, as many as this times the number of pictures are called faces.
_FOUND_PER_PICTURE = 3


def face_pack(folder: Path, images: Sequence[RGBImage]) -> None:
    """The four models of buffalo_l that are loaded: their sizes, their inputs and outputs; made once."""
    import torch

    if (folder / "genderage.onnx").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    free = {2: "height", 3: "width"}
    detector = scrfd(images)
    names = [f"{kind}_{stride}" for kind in ("score", "bbox", "kps") for stride in _STRIDES]
    _export(detector, (1, 3, 640, 640), folder / "det_10g.onnx", "input.1", free, names)
    _export(arcface(), (1, 3, 112, 112), folder / "w600k_r50.onnx", "input.1", {0: "batch"}, ["embedding"])
    for file, side, backbone, numbers in (
        ("1k3d68.onnx", 192, "resnet50", 3309),
        ("genderage.onnx", 96, "mobilenetv2_050", 3),
    ):
        network = _scaled_inside(backbone, numbers)
        _export(network, (1, 3, side, side), folder / file, "data", {0: "batch"}, ["fc1"])


def _export(
    network: Any, shape: tuple[int, ...], path: Path, name: str, free: dict[int, str], outputs: list[str]
) -> None:
    import warnings

    import torch

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(shape),),
            str(path),
            dynamo=False,
            opset_version=14,
            input_names=[name],
            output_names=outputs,
            dynamic_axes={name: free} | {output: {0: "rows"} for output in outputs},
        )


def _scaled_inside(backbone: str, numbers: int) -> Any:
    """A network of timm that takes 0..255, as these two models do; the first nodes are Sub and Mul."""
    import timm
    import torch

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = timm.create_model(backbone, pretrained=False, num_classes=numbers)

        def forward(self, rows: Any) -> Any:
            return self.network((rows - 127.5) * 0.0078125)

    return Scaled()


def scrfd(images: Sequence[RGBImage]) -> Any:
    """[1, 3, H, W] to scores, boxes and points for each stride, two anchors a place."""
    import torch
    from torch import nn

    def conv(wide: int, out: int, side: int = 3, stride: int = 1) -> Any:
        return nn.Sequential(
            nn.Conv2d(wide, out, side, stride, side // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        )

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, wide: int, out: int, stride: int) -> None:
            super().__init__()
            self.first = conv(wide, out, 3, stride)
            self.second = nn.Sequential(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
            same = stride == 1 and wide == out
            self.beside = nn.Identity() if same else nn.Conv2d(wide, out, 1, stride)

        def forward(self, rows: Any) -> Any:
            return torch.relu(self.second(self.first(rows)) + self.beside(rows))

    class Scrfd(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                conv(3, _STEM, 3, 2), conv(_STEM, _STEM), conv(_STEM, 2 * _STEM), nn.MaxPool2d(3, 2, 1)
            )
            wide, self.stages = 2 * _STEM, nn.ModuleList()
            for number, (blocks, out) in enumerate(zip(_BLOCKS, _CHANNELS, strict=True)):
                sizes = [wide, *[out] * (blocks - 1)]
                steps = [1 if number == 0 else 2, *[1] * (blocks - 1)]
                self.stages.append(
                    nn.Sequential(*(Block(w, out, s) for w, s in zip(sizes, steps, strict=True)))
                )
                wide = out
            self.across = nn.ModuleList(nn.Conv2d(c, _NECK, 1) for c in _CHANNELS[1:])
            self.smooth = nn.ModuleList(nn.Conv2d(_NECK, _NECK, 3, 1, 1) for _ in range(5))
            self.down = nn.ModuleList(nn.Conv2d(_NECK, _NECK, 3, 2, 1) for _ in range(2))
            self.head = nn.Sequential(conv(_NECK, _HEAD), conv(_HEAD, _HEAD), conv(_HEAD, _HEAD))
            self.score = nn.Conv2d(_HEAD, _ANCHORS, 3, 1, 1)
            self.box = nn.Conv2d(_HEAD, 4 * _ANCHORS, 3, 1, 1)
            self.points = nn.Conv2d(_HEAD, 10 * _ANCHORS, 3, 1, 1)
            # Boxes of 8 by 10 cells with five points in them, whatever the random weights make of it.
            for layer, values in (
                (self.box, (4, 5, 4, 5)),
                (self.points, (-1, -1, 1, -1, 0, 0, -1, 1, 1, 1)),
            ):
                nn.init.zeros_(layer.weight)
                layer.bias.data = torch.tensor(values, dtype=torch.float32).repeat(_ANCHORS)

        def maps(self, rows: Any) -> list[Any]:
            found, rows = [], self.stem(rows)
            for stage in self.stages:
                rows = stage(rows)
                found.append(rows)
            kept = [layer(one) for layer, one in zip(self.across, found[1:], strict=True)]
            for place in (1, 0):
                larger = nn.functional.interpolate(kept[place + 1], scale_factor=2.0, mode="nearest")
                kept[place] = kept[place] + larger[:, :, : kept[place].shape[2], : kept[place].shape[3]]
            kept = [layer(one) for layer, one in zip(self.smooth, kept, strict=False)]
            for place in (1, 2):
                kept[place] = self.smooth[place + 2](kept[place] + self.down[place - 1](kept[place - 1]))
            return [self.head(one) for one in kept]

        def forward(self, rows: Any) -> tuple[Any, ...]:
            maps = self.maps(rows)

            def flat(one: Any, numbers: int) -> Any:
                return one.permute(2, 3, 0, 1).reshape(-1, numbers)

            return (
                *(torch.sigmoid(flat(self.score(one), 1)) for one in maps),
                *(flat(self.box(one), 4) for one in maps),
                *(flat(self.points(one), 10) for one in maps),
            )

    network = Scrfd().eval()
    _settle(network, images)
    return network


def _settle(network: Any, images: Sequence[RGBImage]) -> None:
    """Move the bias of the scores to where a few places a picture are above one half."""
    import torch
    from PIL import Image

    pictures = [np.asarray(Image.fromarray(image).resize((640, 512))) for image in images[:8]]
    rows = torch.from_numpy((np.stack(pictures).astype(np.float32) - 127.5) / 128).permute(0, 3, 1, 2)
    with torch.inference_mode():
        scores = torch.cat([network.score(one).flatten() for one in network.maps(rows)])
    # Logits of 40 above it, and of -40 below: scores without a doubt, as those of a trained detector.
    border = scores.sort(descending=True).values[_FOUND_PER_PICTURE * len(pictures)]
    spread = float(scores.std()) or 1.0
    network.score.weight.data *= 10 / spread
    network.score.bias.data = (network.score.bias.data - border) * 10 / spread


def arcface() -> Any:
    """IResNet-50: [N, 3, 112, 112] to [N, 512], 43.6 million weights (Deng et al., "ArcFace", 2019)."""
    from torch import nn

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, wide: int, out: int, stride: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                nn.BatchNorm2d(wide),
                nn.Conv2d(wide, out, 3, 1, 1, bias=False),
                nn.BatchNorm2d(out),
                nn.PReLU(out),
                nn.Conv2d(out, out, 3, stride, 1, bias=False),
                nn.BatchNorm2d(out),
            )
            beside = nn.Sequential(nn.Conv2d(wide, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            self.beside = nn.Identity() if stride == 1 and wide == out else beside

        def forward(self, rows: Any) -> Any:
            return self.inner(rows) + self.beside(rows)

    layers: list[Any] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)]
    wide = 64
    for blocks, out in zip((3, 4, 14, 3), (64, 128, 256, 512), strict=True):
        for number in range(blocks):
            layers.append(Block(wide, out, 2 if number == 0 else 1))
            wide = out
    return nn.Sequential(*layers, nn.BatchNorm2d(512), nn.Flatten(), nn.Linear(512 * 49, 512))


def describer_folder(folder: Path) -> None:
    """SmolVLM-500M's shape: SigLIP-B/16 at 512 px, SmolLM2-360M, pictures of 2048 px in 4 x 4 tiles at most.

    The tokenizer is a small one and the words mean nothing; no answer ends before its 96 words.
    """
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    from vision.tests import describer_support as small

    if folder.is_dir():
        return
    small.build_describer_folder(folder, ends=False)
    ids: dict[str, int] = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    full = Idefics3Config(
        image_token_id=ids["<image>"],
        pad_token_id=ids[small.PAD],
        scale_factor=4,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 512,
            "patch_size": 16,
        },
        text_config={
            "model_type": "llama",
            "pad_token_id": ids[small.PAD],
            "bos_token_id": ids[small.START],
            "eos_token_id": ids[small.TURN],
            "vocab_size": 49280,
            "hidden_size": 960,
            "intermediate_size": 2560,
            "num_hidden_layers": 32,
            "num_attention_heads": 15,
            "num_key_value_heads": 5,
            "max_position_embeddings": 8192,
        },
    )
    torch.manual_seed(1)
    network = Idefics3ForConditionalGeneration(full).to(torch.bfloat16)
    silent = torch.ones(full.text_config.vocab_size, dtype=torch.bool)
    silent[[ids[word] for word in small.WORDS]] = False
    with torch.no_grad():
        network.lm_head.weight[silent] = 0
    network.generation_config.eos_token_id = ids[small.TURN]
    network.generation_config.pad_token_id = ids[small.PAD]
    network.save_pretrained(folder)
    for name, change in (
        (
            "preprocessor_config.json",
            {"max_image_size": {"longest_edge": 512}, "size": {"longest_edge": 2048}},
        ),
        ("processor_config.json", {"image_seq_len": 64}),
    ):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **change}))
