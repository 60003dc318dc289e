"""An OpenCLIP model on torch to a folder for ONNX Runtime, kept only when both give the same vectors.

The layout is that of the public exports (``vision.embedders.clip_folder``). The folder records the space of
the weights, so that vectors of either runtime belong together.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vision.config import EngineConfig
from vision.embedders.clip_bpe import PAD_TOKEN
from vision.embedders.onnx_clip import OnnxClip
from vision.embedders.openclip import OpenClip
from vision.embedders.openclip_files import OpenClipFiles, find_openclip
from vision.embedders.openclip_model import Tower, clip_tokenizer, load_model, preprocess_config
from vision.embedders.parity import Agreement, agreement, drawn_pictures, embed_samples
from vision.embedders.staging import ExportRefused, staged_folder
from vision.embedders.tokenizer import parse_clean
from vision.errors import EngineUnavailable
from vision.results import SpaceInfo

#: The largest cosine distance to torch that passes; float32 in another order of sums makes about 1e-6.
MAX_DISTANCE = 1e-3
#: Of ONNX; any ONNX Runtime since 1.15 runs it.
OPSET = 18
#: A protobuf file cannot be larger; weights beyond lie beside the graph.
_LARGEST_FILE = 2**31 - 2**20
_FOLDERS: dict[Tower, str] = {"image": "visual", "text": "textual"}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how near to torch it is."""

    folder: Path
    space: SpaceInfo
    size: int
    agreement: Agreement


def export_clip(config: EngineConfig, target: Path) -> ExportReport:
    """Write the model of ``openclip_model`` and ``openclip_checkpoint`` to a new folder, in float32.

    Runs on the processor. Raises EngineUnavailable when a package or the weights are missing, ExportRefused
    when torch cannot export this model or the vectors differ by more than MAX_DISTANCE; then nothing is left.
    """
    require_onnx()
    files = find_openclip(config)
    plain = replace(config, device="cpu", precision="fp32")
    with staged_folder(target) as folder:
        model = load_model(files)
        _write_small_files(folder, files, preprocess_config(model))
        for tower in _FOLDERS:
            _write_tower(model, tower, folder / _FOLDERS[tower] / "model.onnx", files)
        del model
        found = _compare(plain, folder)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return ExportReport(folder=target, space=files.space, size=size, agreement=found)


def require_onnx() -> None:
    """Raise EngineUnavailable when the package onnx is not installed; only exports need it."""
    if find_spec("onnx") is None:
        raise EngineUnavailable(
            "The package onnx is not installed.", "Run `.venv/bin/python -m pip install onnx`."
        )


def _compare(config: EngineConfig, folder: Path) -> Agreement:
    pictures = drawn_pictures()
    reference = embed_samples(OpenClip(config), pictures)
    found = agreement(reference, embed_samples(OnnxClip(folder, config), pictures))
    if not found.distance <= MAX_DISTANCE:
        raise ExportRefused(
            f"The export of {config.openclip_model} differs from torch by a cosine distance of "
            f"{found.distance:.1e} (at most {MAX_DISTANCE:.0e} passes). Nothing was written."
        )
    return found


def _write_small_files(folder: Path, files: OpenClipFiles, preprocess: dict[str, Any]) -> None:
    for name in _FOLDERS.values():
        (folder / name).mkdir()
    clean = files.tokenizer.clean if files.tokenizer else parse_clean(files.text_cfg, default="lower")
    options = {**files.text_cfg.get("tokenizer_kwargs", {}), "clean": clean}
    text = {**files.text_cfg, "context_length": files.context_length, "tokenizer_kwargs": options}
    config = {
        "model_name": files.model,
        "embed_dim": files.space.dimensions,
        "text_cfg": text,
        "heirloom": {"space": {"engine": files.space.engine, "model": files.space.model}},
    }
    write_json(folder / "config.json", config)
    write_json(folder / "visual" / "preprocess_cfg.json", preprocess)
    textual = folder / "textual"
    if files.tokenizer is None:
        clip_tokenizer().save(str(textual / "tokenizer.json"))
        write_json(textual / "tokenizer_config.json", {"pad_token": PAD_TOKEN})
        return
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(files.tokenizer.path.with_name(name), textual / name)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Indented, with a line end."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_tower(model: Any, tower: Tower, path: Path, files: OpenClipFiles) -> None:
    """Trace one tower with a free batch. Very large ones come as many files, which are put into one."""
    import torch

    if tower == "image":
        size = model.visual.image_size
        height, width = size if isinstance(size, tuple | list) else (size, size)
        example, name = torch.zeros(2, 3, height, width), "image"
    else:
        example, name = torch.ones(2, files.context_length, dtype=torch.long), "text"
    raw = path.parent / "raw"
    raw.mkdir()
    try:
        with _traceable():
            torch.onnx.export(
                _encoder(model, tower),
                (example,),
                str(raw / path.name),
                # The newer exporter needs one more package and fixes the batch of some attention layers.
                dynamo=False,
                opset_version=OPSET,
                input_names=[name],
                output_names=["embedding"],
                dynamic_axes={name: {0: "batch"}, "embedding": {0: "batch"}},
            )
    except OSError:
        raise
    except Exception as error:  # torch's exporter has no error class of its own
        why = " ".join(str(error).split())[:300]
        raise ExportRefused(f"torch cannot export the {tower} tower of {files.model}: {why}.") from error
    gather(raw / path.name, path)
    shutil.rmtree(raw)


def _encoder(model: Any, tower: Tower) -> Any:
    import torch

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        """One tower as a module with one input."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, rows: Any) -> Any:
            encode = self.model.encode_image if tower == "image" else self.model.encode_text
            return encode(rows, normalize=False)

    return Encoder(model).eval()


@contextmanager
def _traceable() -> Iterator[None]:
    """Attention in small steps: the fused one of torch has no counterpart in ONNX. No tracing chatter."""
    import torch

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def gather(source: Path, path: Path) -> None:
    """Move a graph to ``path``; weights that lie beside it as many files come into ``model.onnx.data``."""
    if len(list(source.parent.iterdir())) == 1 and source.stat().st_size < _LARGEST_FILE:
        source.replace(path)
        return
    import onnx

    onnx.save_model(
        onnx.load(str(source)),
        str(path),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
    )
