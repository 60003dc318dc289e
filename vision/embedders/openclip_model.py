"""Loading an OpenCLIP model from its files into torch: one tower at a time, and never from the network."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vision.batching import is_out_of_memory
from vision.embedders.clip_bpe import PAD_TOKEN, bpe_tokenizer
from vision.embedders.openclip_files import OpenClipFiles
from vision.embedders.preprocess import Preprocess, parse_preprocess, prepare_all
from vision.embedders.tokenizer import ClipTokenizer, parse_clean, read_tokenizer
from vision.errors import EngineFailed, EngineUnavailable
from vision.results import RGBImage
from vision.torch_devices import TorchPrecision, torch_dtype
from vision.weights import check_file

Tower = Literal["image", "text"]
#: What the other tower needs and this one does not, by attribute, in all of OpenCLIP's model classes.
_OTHERS: dict[Tower, tuple[str, ...]] = {
    "image": ("text", "transformer", "token_embedding", "ln_final", "text_decoder"),
    "text": ("visual", "text_decoder"),
}


@dataclass(frozen=True, slots=True)
class TorchTower:
    """One half of the model on its device."""

    model: Any
    device: str
    precision: TorchPrecision

    def images(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 [N, 3, H, W] to float32 [N, D], not yet of unit length."""
        import torch

        pixels = torch.from_numpy(rows).to(device=self.device, dtype=torch_dtype(self.precision))
        return self._run(lambda: self.model.encode_image(pixels, normalize=False), len(rows))

    def texts(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """int64 [N, context] to float32 [N, D], not yet of unit length."""
        import torch

        tokens = torch.from_numpy(rows).to(self.device)
        return self._run(lambda: self.model.encode_text(tokens, normalize=False), len(rows))

    def _run(self, encode: Any, count: int) -> npt.NDArray[np.float32]:
        import torch

        try:
            with torch.inference_mode():
                answer: npt.NDArray[np.float32] = encode().float().cpu().numpy()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise EngineFailed(f"OpenCLIP failed on a batch of {count}: {error}") from error
        return answer


def load_tower(
    files: OpenClipFiles, tower: Tower, device: str, precision: TorchPrecision
) -> tuple[TorchTower, Preprocess]:
    """Read the weights, keep one tower, put it on the device. The other half is let go of.

    Raises EngineUnavailable when the weights are damaged or of another architecture; WeightsDamaged when they
    are not what was downloaded.
    """
    model = load_model(files, precision)
    preprocess = _preprocess(model, files)
    for name in _OTHERS[tower]:
        if name in model._modules:
            setattr(model, name, None)
    return TorchTower(model.to(device), device, precision), preprocess


def load_model(files: OpenClipFiles, precision: TorchPrecision = "fp32") -> Any:
    """The whole model on the processor, in evaluation mode. Raises as ``load_tower`` does."""
    check_file(files.checkpoint)
    model = _empty_model(files, precision)
    import open_clip

    try:
        open_clip.load_checkpoint(model, str(files.checkpoint), weights_only=True)
    except Exception as error:  # torch, pickle, zip, safetensors and OpenCLIP share no base class
        why = " ".join(str(error).split())[:300] or type(error).__name__
        raise EngineUnavailable(
            f"{files.checkpoint} cannot be loaded as {files.model}: {why}.",
            "It may be damaged, incomplete, or of another model: fetch it again, or correct OPENCLIP_MODEL.",
        ) from error
    return model.eval()


def open_clip_package() -> Any:
    """The package, imported. Raises EngineUnavailable when it, torch and torchvision do not fit together."""
    try:
        import open_clip
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineUnavailable(
            f"The package open_clip cannot be imported: {error}.",
            "Install torch and torchvision in versions and builds that belong together (docs/models.md).",
        ) from error
    return open_clip


def _empty_model(files: OpenClipFiles, precision: TorchPrecision) -> Any:
    open_clip = open_clip_package()
    published = open_clip.get_pretrained_cfg(files.model, files.tag) or {}
    more: dict[str, Any] = {}
    if files.text_folder is not None:
        more["text_cfg"] = {
            **files.text_cfg,
            "hf_model_name": str(files.text_folder),
            "hf_model_pretrained": False,
        }
    if not files.own_config:
        # The model's own size counts. Weights that were trained with QuickGELU answer wrongly without it;
        # OpenCLIP itself only warns.
        more["force_preprocess_cfg"] = {key: value for key, value in published.items() if key != "size"}
        more["force_quick_gelu"] = bool(published.get("quick_gelu"))
    try:
        with _no_word_of_random_weights():
            return open_clip.create_model(
                files.reference, load_weights=False, pretrained_text=False, precision=precision, **more
            )
    except Exception as error:  # OpenCLIP, timm and transformers share no base class
        raise EngineUnavailable(
            f"OpenCLIP cannot make the model {files.reference}: {error}.",
            "Correct OPENCLIP_MODEL, or the configuration beside the weights.",
        ) from error


@contextmanager
def _no_word_of_random_weights() -> Iterator[None]:
    """OpenCLIP warns of random weights because it does not know that we fill them in next."""

    def heard(record: logging.LogRecord) -> bool:
        return (
            "nitialized randomly" not in record.getMessage()
            and "Local config loaded" not in record.getMessage()
        )

    root = logging.getLogger()
    root.addFilter(heard)
    try:
        yield
    finally:
        root.removeFilter(heard)


def _preprocess(model: Any, files: OpenClipFiles) -> Preprocess:
    try:
        return parse_preprocess(preprocess_config(model))
    except ValueError as error:
        reason = f"The preprocessing of {files.model} cannot be used: {error}."
        raise EngineUnavailable(reason, "Correct preprocess_cfg in open_clip_config.json.") from error


def preprocess_config(model: Any) -> dict[str, Any]:
    """OpenCLIP's own description of its preprocessing, as plain JSON values."""
    import open_clip

    config = open_clip.get_model_preprocess_cfg(model)
    plain: dict[str, Any] = json.loads(json.dumps(config))
    if plain.get("interpolation") == "random":  # of training; OpenCLIP uses bicubic outside it
        plain["interpolation"] = "bicubic"
    return plain


def load_tokenizer(files: OpenClipFiles) -> ClipTokenizer:
    """The model's tokenizer: CLIP's own from the package, or the files beside the weights."""
    if files.tokenizer is not None:
        return read_tokenizer(files.tokenizer)
    return ClipTokenizer(
        clip_tokenizer(),
        pad_token=PAD_TOKEN,
        context_length=files.context_length,
        clean=parse_clean(files.text_cfg, default="lower"),
    )


def clip_tokenizer() -> Any:
    """CLIP's own tokenizer as ``tokenizers.Tokenizer``."""
    return bpe_tokenizer(open_clip_package().SimpleTokenizer())


def run_texts(tower: TorchTower, tokenizer: ClipTokenizer, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """[N] texts to float32 [N, D]."""
    return tower.texts(tokenizer(texts))


def run_images(
    tower: TorchTower, prepare: Preprocess, images: Sequence[RGBImage], threads: int
) -> npt.NDArray[np.float32]:
    """[N] upright RGB images to float32 [N, D]."""
    return tower.images(prepare_all(prepare, images, threads))
