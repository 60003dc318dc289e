"""The RAM++ checkpoint: which weights it holds under which names, and loading them into our network.

The names and shapes are those of the published checkpoint (``ram_plus_swin_large_14m.pth``, see
https://github.com/xinyu1205/recognize-anything). Our network names its parts more plainly; ``own_key`` is
the mapping. Importing this module does not import torch.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from vision.errors import EngineUnavailable

if TYPE_CHECKING:
    from vision.taggers.ram_plus_network import RamPlusNetwork

_NAMED_IN_ERRORS = 5
#: Tables the network computes itself; published checkpoints carry them along.
_DERIVED = re.compile(r"(\.relative_position_index|\.attn_mask)$")
_HEAD_LAYER = re.compile(r"^(?:tagging_head|vision_multi)\.encoder\.layer\.(\d+)\.(.+)$")
_HEAD_PARTS = {
    "crossattention.self.query": "query",
    "crossattention.self.key": "key",
    "crossattention.self.value": "value",
    "crossattention.output.dense": "proj",
    "crossattention.output.LayerNorm": "norm1",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "output.LayerNorm": "norm2",
}


@dataclass(frozen=True, slots=True)
class RamPlusShape:
    """The sizes of a RAM++ network; the defaults are the published model's (Swin-L at 384 pixels).

    Raises ValueError when the windows do not tile the picture at every stage.
    """

    image_size: int = 384
    patch: int = 4
    window: int = 12
    width: int = 192
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (6, 12, 24, 48)
    mlp_ratio: int = 4
    text_width: int = 512
    head_width: int = 768
    head_layers: int = 2
    head_heads: int = 4
    tags: int = 4585
    descriptions: int = 51

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.heads):
            raise ValueError(f"depths {self.depths} and heads {self.heads} must be equally many")
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is no multiple of patch {self.patch}")
        for stage in range(len(self.depths)):
            side = self.side(stage)
            if side % min(self.window, side) or (stage and self.side(stage - 1) % 2):
                raise ValueError(f"stage {stage}: {side} tokens a side do not fit window {self.window}")

    def side(self, stage: int) -> int:
        """Tokens along one side at a stage; each stage halves it."""
        return (self.image_size // self.patch) >> stage

    def stage_width(self, stage: int) -> int:
        """Channels at a stage; each stage doubles them."""
        return self.width << stage

    @property
    def encoder_width(self) -> int:
        """Channels of the encoder's output."""
        return self.stage_width(len(self.depths) - 1)


RAM_PLUS = RamPlusShape()


class HasShape(Protocol):
    """What the mapping needs to know of a tensor."""

    @property
    def shape(self) -> Iterable[int]:
        """Size of every axis."""
        ...


T = TypeVar("T", bound=HasShape)


def checkpoint_keys(shape: RamPlusShape) -> dict[str, tuple[int, ...]]:
    """Every weight a checkpoint of this shape must hold, by its published name."""
    keys: dict[str, tuple[int, ...]] = {
        "label_embed": (shape.tags * shape.descriptions, shape.text_width),
        "reweight_scale": (),
    }
    keys |= _encoder_keys(shape)
    for layer in range(shape.head_layers):
        keys |= _head_keys(f"tagging_head.encoder.layer.{layer}", shape)
    keys |= _linear("wordvec_proj", shape.head_width, shape.text_width)
    keys |= _linear("fc", 1, shape.head_width)
    return keys | _linear("image_proj", shape.text_width, shape.encoder_width)


def own_key(key: str) -> str | None:
    """A published name to the name in our network; None for tables the network computes itself."""
    if _DERIVED.search(key):
        return None
    layer = _HEAD_LAYER.match(key)
    if layer is None:
        return key.replace("visual_encoder.", "encoder.", 1) if key.startswith("visual_encoder.") else key
    part, _, parameter = layer[2].rpartition(".")
    return f"head.{layer[1]}.{_HEAD_PARTS.get(part, part)}.{parameter}"


def map_weights(weights: Mapping[str, T], shape: RamPlusShape, source: Path) -> dict[str, T]:
    """Published names to our network's, with nothing missing, left over or of another size.

    ``source`` is named in the error. Raises EngineUnavailable naming the keys (by their published names)
    that are missing, unexpected or of another shape.
    """
    expected = checkpoint_keys(shape)
    found = {_current_name(key): value for key, value in weights.items() if own_key(key) is not None}
    problems = [
        _listed("missing", [key for key in expected if key not in found]),
        _listed("unexpected", [key for key in found if key not in expected]),
        _listed(
            "of another shape",
            [
                f"{key} {list(found[key].shape)} instead of {list(size)}"
                for key, size in expected.items()
                if key in found and tuple(found[key].shape) != size
            ],
        ),
    ]
    if any(problems):
        what = "; ".join(problem for problem in problems if problem)
        raise _unusable(source, f"its weights are not those of RAM++ (Swin-L): {what}")
    return {str(own_key(key)): value for key, value in found.items()}


def load_network(path: Path, shape: RamPlusShape, *, device: str, dtype: Any) -> RamPlusNetwork:
    """The network with the checkpoint's weights, ready for inference on a torch device in a torch dtype.

    Nothing pickled is executed. The file is mapped, not read: on the processor in float32 the weights stay
    backed by it (measured: 25 MB more after loading, 1.6 GB once a picture has been through), so replace a
    checkpoint by renaming a new file over it, never by writing into it. The number of tags is the
    checkpoint's.
    Raises EngineUnavailable when the file is no such checkpoint.
    """
    import torch

    from vision.taggers.ram_plus_network import RamPlusNetwork

    weights = read_weights(path)
    shape = replace(shape, tags=_tag_count(weights, shape, path))
    state = map_weights(weights, shape, path)
    with torch.device("meta"):
        network = RamPlusNetwork(shape)
    network.load_state_dict(state, strict=True, assign=True)
    network.eval().requires_grad_(False)  # noqa: FBT003 - torch's own name and position
    network.to(device=device, dtype=dtype)
    return network


def read_weights(path: Path) -> dict[str, Any]:
    """The checkpoint's tensors by published name, mapped from the file; optimizer state is left out.

    Raises EngineUnavailable when it cannot be read without running code, or holds no weights.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        lines = str(error).splitlines()
        raise _unusable(path, lines[0] if lines else type(error).__name__) from error
    weights = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise _unusable(path, "it holds no table of weights")
    foreign = [str(key) for key, value in weights.items() if not isinstance(value, torch.Tensor)]
    if foreign or not weights:
        raise _unusable(path, _listed("not weights", foreign) or "it holds no weights")
    return weights


def _tag_count(weights: Mapping[str, HasShape], shape: RamPlusShape, path: Path) -> int:
    """Tags by the rows of ``label_embed``, which holds all descriptions of all tags, tag after tag."""
    if "label_embed" not in weights:
        return shape.tags  # map_weights reports it with everything else that is missing
    rows = next(iter(weights["label_embed"].shape), 0)
    if not rows or rows % shape.descriptions:
        raise _unusable(path, f"label_embed has {rows} rows, no multiple of {shape.descriptions}")
    return rows // shape.descriptions


def _current_name(key: str) -> str:
    """Older checkpoints call the tagging head ``vision_multi``."""
    return re.sub(r"^vision_multi\.", "tagging_head.", key)


def _encoder_keys(shape: RamPlusShape) -> dict[str, tuple[int, ...]]:
    patch = "visual_encoder.patch_embed"
    keys: dict[str, tuple[int, ...]] = {
        f"{patch}.proj.weight": (shape.width, 3, shape.patch, shape.patch),
        f"{patch}.proj.bias": (shape.width,),
        **_norm(f"{patch}.norm", shape.width),
    }
    for stage, depth in enumerate(shape.depths):
        name, width = f"visual_encoder.layers.{stage}", shape.stage_width(stage)
        for block in range(depth):
            keys |= _block_keys(f"{name}.blocks.{block}", stage, shape)
        if stage + 1 < len(shape.depths):
            keys[f"{name}.downsample.reduction.weight"] = (2 * width, 4 * width)
            keys |= _norm(f"{name}.downsample.norm", 4 * width)
    return keys | _norm("visual_encoder.norm", shape.encoder_width)


def _block_keys(name: str, stage: int, shape: RamPlusShape) -> dict[str, tuple[int, ...]]:
    width = shape.stage_width(stage)
    window = min(shape.window, shape.side(stage))
    table = f"{name}.attn.relative_position_bias_table"
    return {
        table: ((2 * window - 1) ** 2, shape.heads[stage]),
        **_norm(f"{name}.norm1", width),
        **_linear(f"{name}.attn.qkv", 3 * width, width),
        **_linear(f"{name}.attn.proj", width, width),
        **_norm(f"{name}.norm2", width),
        **_linear(f"{name}.mlp.fc1", shape.mlp_ratio * width, width),
        **_linear(f"{name}.mlp.fc2", width, shape.mlp_ratio * width),
    }


def _head_keys(name: str, shape: RamPlusShape) -> dict[str, tuple[int, ...]]:
    width, hidden = shape.head_width, shape.mlp_ratio * shape.head_width
    return {
        **_linear(f"{name}.crossattention.self.query", width, width),
        **_linear(f"{name}.crossattention.self.key", width, shape.text_width),
        **_linear(f"{name}.crossattention.self.value", width, shape.text_width),
        **_linear(f"{name}.crossattention.output.dense", width, width),
        **_norm(f"{name}.crossattention.output.LayerNorm", width),
        **_linear(f"{name}.intermediate.dense", hidden, width),
        **_linear(f"{name}.output.dense", width, hidden),
        **_norm(f"{name}.output.LayerNorm", width),
    }


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _listed(what: str, names: list[str]) -> str:
    """``3 missing: a, b, c``; empty when there are none."""
    if not names:
        return ""
    more = ", ..." if len(names) > _NAMED_IN_ERRORS else ""
    return f"{len(names)} {what}: {', '.join(names[:_NAMED_IN_ERRORS])}{more}"


def _unusable(path: Path, why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"The RAM++ checkpoint {path} cannot be used: {why}.",
        "Copy ram_plus_swin_large_14m.pth there again "
        "(Hugging Face hub, xinyu1205/recognize-anything-plus-model, 3.0 GB).",
    )
