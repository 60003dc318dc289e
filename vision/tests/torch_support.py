"""What the tests need to use torch and OpenCLIP here: torchvision's missing operators, and tiny models.

The processor build of torch and the published torchvision do not fit: torchvision's import fails because its
compiled operators are absent. Declaring them is enough, as nothing of OpenCLIP calls them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vision.config import EngineConfig
from vision.results import RGBImage
from vision.tests.small_models import PAD, build_tokenizer

CLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
#: As the SigLIP configurations, with OpenCLIP's own image tower in place of timm's large ones.
SIGLIP_CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 64,
        "head_width": 32,
        "patch_size": 8,
        "no_ln_pre": True,
        "pool_type": "avg",
    },
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 64,
        "hf_tokenizer_name": "tiny",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
        "act_kwargs": {"approximate": "tanh"},
    },
}
SIGLIP_PREPROCESS = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}


@lru_cache(maxsize=1)
def import_open_clip() -> Any:
    """The package, with torchvision's operators declared where they are absent. Keeps them alive."""
    import torch

    library = None
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import open_clip

    open_clip._torchvision_operators = library
    return open_clip


def save_model(
    folder: Path,
    config: dict[str, Any] = CLIP_CONFIG,
    preprocess: dict[str, Any] | None = None,
    *,
    seed: int = 5,
    name: str = "open_clip_model.safetensors",
) -> Any:
    """Random weights with their configuration, as OpenCLIP publishes them. Returns the model itself."""
    import safetensors.torch
    import torch

    open_clip = import_open_clip()
    folder.mkdir(parents=True, exist_ok=True)
    content = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False).eval()
    # Fresh layers know nothing of place and word: spread them, so that every input has its own vector.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
            elif parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    if name.endswith(".safetensors"):
        safetensors.torch.save_file(state, folder / name)
    else:
        torch.save(
            {"epoch": 3, "state_dict": {f"module.{key}": v for key, v in state.items()}}, folder / name
        )
    return model


def save_siglip(folder: Path, config: dict[str, Any] = SIGLIP_CONFIG) -> Any:
    """A SigLIP-like one: another loss, pooling and preprocessing, and a tokenizer of its own."""
    model = save_model(folder, config, SIGLIP_PREPROCESS)
    build_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": PAD}))
    return model


def openclip_config(cache: Path, model: str = "tiny/random", **more: Any) -> EngineConfig:
    """A configuration for a model in ``cache/openclip/<model>__<tag>``, on the processor."""
    settings = {"device": "cpu", "threads": 1, "embedder": "openclip", **more}
    return EngineConfig(model_cache_dir=cache, openclip_model=model, **settings)


def model_folder(cache: Path, name: str = "tiny__random") -> Path:
    """Where that model's files belong."""
    return cache / "openclip" / name


def pictures(count: int, height: int = 40, width: int = 60) -> list[RGBImage]:
    """Noise, every one another."""
    random = np.random.default_rng(7)
    return [random.integers(0, 256, (height + i, width - 2 * i, 3), dtype=np.uint8) for i in range(count)]
