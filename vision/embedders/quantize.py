"""A CLIP folder to one with 8-bit weights: a third of the memory, and faster on a processor.

Dynamic quantisation (ONNX Runtime's): weights as int8 with a scale per channel, activations as they come. It
is kept only when the vectors stay close to those of the source, so both belong to one space.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.config import EngineConfig
from vision.embedders.clip_folder import read_clip_folder
from vision.embedders.export import require_onnx, write_json
from vision.embedders.onnx_clip import OnnxClip
from vision.embedders.parity import Agreement, agreement, embed_samples
from vision.embedders.staging import ExportRefused, staged_folder
from vision.results import RGBImage, SpaceInfo

#: The lowest cosine to the source that passes.
MIN_COSINE = 0.99
#: Where nearly all weights are. Convolutions (one, at the entrance) lose more than they gain.
_OPERATORS = ["MatMul", "Gemm", "Gather"]
#: With room for what quantisation adds: beyond it the result could pass protobuf's 2 GiB.
_LARGE = 1_500_000_000


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What was written, how near to the source it is, and both sizes in bytes."""

    folder: Path
    space: SpaceInfo
    agreement: Agreement
    size_before: int
    size: int


def quantize_clip(
    source: Path, target: Path, config: EngineConfig, pictures: Sequence[RGBImage]
) -> QuantizeReport:
    """Write the int8 version of a CLIP folder to a new one and compare them on these pictures.

    The new folder records the space of its source. Raises EngineUnavailable when the source or the package
    onnx is not usable, ExportRefused when a cosine is below MIN_COSINE; then nothing is left behind.
    """
    require_onnx()
    folder = read_clip_folder(source)
    reference = embed_samples(OnnxClip(source, config), pictures)
    with staged_folder(target) as work:
        _copy_small_files(source, work, folder.space)
        for tower in ("visual", "textual"):
            _quantize(source / tower / "model.onnx", work / tower / "model.onnx")
        found = agreement(reference, embed_samples(OnnxClip(work, config), pictures))
        if not found.lowest >= MIN_COSINE:
            raise ExportRefused(
                f"With 8-bit weights {folder.space.model} loses too much: the lowest cosine is "
                f"{found.pictures_lowest:.4f} for pictures and {found.texts_lowest:.4f} for texts "
                f"(at least {MIN_COSINE} passes). Nothing was written."
            )
    return QuantizeReport(target, folder.space, found, _model_bytes(source), _model_bytes(target))


def _copy_small_files(source: Path, work: Path, space: SpaceInfo) -> None:
    for tower in ("visual", "textual"):
        (work / tower).mkdir()
        for file in (source / tower).glob("*.json"):
            shutil.copyfile(file, work / tower / file.name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["heirloom"] = {"space": {"engine": space.engine, "model": space.model}, "weights": "int8"}
    write_json(work / "config.json", config)


def _quantize(source: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    large = sum(file.stat().st_size for file in source.parent.glob("model.onnx*")) > _LARGE
    root = logging.getLogger()
    level = root.level
    try:
        root.setLevel(logging.ERROR)  # it recommends a preparation that changes nothing for these graphs
        quantize_dynamic(
            source,
            path,
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=large,
        )
    except OSError:
        raise
    except Exception as error:  # onnx and ONNX Runtime share no base class
        raise ExportRefused(f"{source} cannot be quantised: {error}.") from error
    finally:
        root.setLevel(level)


def _model_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*/model.onnx*"))
