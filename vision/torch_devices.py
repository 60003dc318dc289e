"""Where and how precisely the engines on torch run. Torch is imported inside: it is an extra."""

from __future__ import annotations

from typing import Any, Literal

from vision.config import EngineConfig
from vision.devices import thread_count
from vision.errors import EngineUnavailable

TorchPrecision = Literal["fp32", "fp16", "bf16"]


def torch_device(config: EngineConfig) -> str:
    """``cuda`` or ``cpu`` by ``config.device``. On the processor it also sets torch's threads.

    Raises EngineUnavailable when the graphics card is asked for and this torch cannot use one.
    """
    import torch

    if config.device != "cpu" and torch.cuda.is_available():
        return "cuda"
    if config.device == "cuda":
        raise EngineUnavailable(
            f"DEVICE=cuda is set, but torch {torch.__version__} sees no graphics card.",
            "Set DEVICE=auto or DEVICE=cpu, or install a CUDA build of torch and the driver.",
        )
    torch.set_num_threads(thread_count(config))
    return "cpu"


def torch_details(config: EngineConfig) -> dict[str, str]:
    """What the settings say about device and precision; asking torch would touch the card before the fork."""
    return {"device": config.device, "precision": config.precision}


def torch_precision(config: EngineConfig, device: str) -> TorchPrecision:
    """``config.precision``; ``auto`` is float32 on a processor and float16 on a graphics card."""
    if config.precision != "auto":
        return config.precision
    return "fp32" if device == "cpu" else "fp16"


def torch_dtype(precision: TorchPrecision) -> Any:
    """The precision as torch's own type."""
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
