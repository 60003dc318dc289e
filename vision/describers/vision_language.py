"""Descriptions by a vision-language model of the transformers library, SmolVLM by default.

The model is asked the same for every picture and decodes greedily, so that the same picture and files give
the same words. Nothing but the folder's own files is read: no network, no code that lies beside the weights.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vision.config import EngineConfig
from vision.describers import model_folder
from vision.describers.wording import clean
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.results import RGBImage
from vision.torch_devices import torch_details, torch_device
from vision.weights import check_file

ENGINE = "vision_language"
PROMPT = (
    "Describe this photo in one to three plain sentences: who or what is in it, what happens, and where. "
    "Say only what can be seen."
)
MAX_NEW_TOKENS = 96
#: Counts up when the same answer would be worded differently (``vision.describers.wording``).
WORDING = 1
#: On a card each word costs about the same for one picture and for sixteen. A processor is kept busy by one.
CPU_BATCH = 1
CUDA_BATCH = 16
_LONGEST_NAME = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The parts of a model in memory. ``settings`` is transformers' GenerationConfig."""

    processor: Any
    network: Any
    settings: Any
    prompt: str
    device: str


class VisionLanguageDescriber:
    """Pictures to a few sentences (``Describer``), with the model in ``folder``.

    Making one reads only the small files and the weights' heads and ends; torch and the weights are loaded at
    the first picture, behind a lock. Safe to call from several threads. With ``precision=auto`` float32 on a
    processor; on a graphics card the type the weights are stored in, and float16 where the card has no
    bfloat16. Raises EngineUnavailable when a package or a file is missing.
    """

    def __init__(self, folder: Path, config: EngineConfig, *, batch_size: int | None = None) -> None:
        _require_packages()
        model_folder.check(folder)
        self._folder = folder
        self._config = config
        self._batch_size = batch_size
        self._fingerprint = model_folder.fingerprint(folder, PROMPT, MAX_NEW_TOKENS, WORDING)
        self._parts: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``vision_language/<DESCRIPTION_MODEL>@<fingerprint of the files, the prompt and the wording>``."""
        return f"{ENGINE}/{self._config.description_model[:_LONGEST_NAME]}@{self._fingerprint}"

    @property
    def details(self) -> dict[str, str]:
        """Device and precision, as the settings say."""
        return torch_details(self._config)

    @property
    def batch_size(self) -> int:
        """One on a processor, more on a graphics card; halved for good when its memory did not suffice.

        Raises EngineUnavailable when the configured device is not there.
        """
        if self._batch_size is None:
            self._batch_size = CPU_BATCH if torch_device(self._config) == "cpu" else CUDA_BATCH
        return self._batch_size

    def describe(self, images: Sequence[RGBImage]) -> list[str]:
        """[N] upright RGB images to [N] descriptions; empty where the model had nothing usable to say.

        Raises EngineUnavailable when the weights cannot be loaded, EngineFailed when a picture cannot be
        worked on.
        """
        texts: list[str] = []
        while len(texts) < len(images):
            parts = self._loaded()
            batch = images[len(texts) : len(texts) + self.batch_size]
            answer = self._run(parts, batch)
            if answer is not None:
                texts += answer
        return texts

    def _run(self, parts: _Loaded, images: Sequence[RGBImage]) -> list[str] | None:
        """One batch; None when it did not fit the card, after the batch size was halved."""
        import torch

        try:
            return _generate(parts, images)
        except torch.cuda.OutOfMemoryError as error:
            if len(images) == 1:
                raise EngineFailed(f"{self.engine_id} has too little memory for one picture.") from error
            self._batch_size = len(images) // 2
            logger.warning(
                "The describer ran out of memory at %d pictures; now %d", len(images), self._batch_size
            )
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            # What transformers raises about a picture or an answer it cannot work on.
            raise EngineFailed(f"{self.engine_id} failed on {len(images)} pictures: {error}") from error
        # Only here the failed call's tensors, which its traceback held, are free to be given back.
        torch.cuda.empty_cache()
        return None

    def _loaded(self) -> _Loaded:
        if self._parts is None:
            with self._lock:
                if self._parts is None:
                    with loading(self.engine_id) as details:
                        self._parts = _load(self._folder, self._config)
                        details["device"] = self._parts.device
        return self._parts


class _NumbersOnly:
    """Looks on while words are chosen, and remembers for which pictures the scores were no numbers."""

    def __init__(self) -> None:
        self.broken: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        bad = scores.isnan().any(dim=-1)
        self.broken = bad if self.broken is None else self.broken | bad
        return scores


def _generate(parts: _Loaded, images: Sequence[RGBImage]) -> list[str]:
    import torch
    from PIL import Image

    pictures = [[Image.fromarray(image)] for image in images]
    inputs = parts.processor(
        text=[parts.prompt] * len(pictures), images=pictures, padding=True, return_tensors="pt"
    ).to(device=parts.device, dtype=parts.network.dtype)
    watch = _NumbersOnly()
    with torch.inference_mode():
        output = parts.network.generate(**inputs, generation_config=parts.settings, logits_processor=[watch])
    if watch.broken is not None and bool(watch.broken.any()):
        numbers = ", ".join(str(index + 1) for index in watch.broken.nonzero().flatten().tolist())
        raise EngineFailed(f"The model gave no numbers for picture {numbers} of {len(images)}.")
    tokens = output[:, inputs["input_ids"].shape[1] :].cpu()
    ends = torch.tensor(_ends(parts.settings))
    finished = torch.isin(tokens, ends).any(dim=1).tolist()
    answers = parts.processor.batch_decode(tokens, skip_special_tokens=True)
    return [clean(answer, finished=ended) for answer, ended in zip(answers, finished, strict=True)]


def _ends(settings: Any) -> list[int]:
    ends = settings.eos_token_id
    return [] if ends is None else list(ends) if isinstance(ends, list) else [int(ends)]


def _load(folder: Path, config: EngineConfig) -> _Loaded:
    for path in folder.iterdir():
        if path.suffix in (".json", ".jinja", ".safetensors"):
            check_file(path)
    device = torch_device(config)
    try:
        processor, network, lacking = _read(folder, device, config)
    except EngineUnavailable:
        raise
    except Exception as error:  # transformers' errors share no base class
        raise EngineUnavailable(
            f"transformers cannot load {folder}: {type(error).__name__}: {error}",
            "It must be a model for image-text-to-text that needs no code of its own; copy its files again, "
            "or choose another one.",
        ) from error
    if lacking:
        raise EngineUnavailable(
            f"The weights in {folder} lack {len(lacking)} parts of the model, {lacking[0]} first.",
            "Copy the configuration and the weights of the same model.",
        )
    if not processor.chat_template:
        raise EngineUnavailable(
            f"{folder} has no chat template.",
            "Use an instruction-tuned model, and copy chat_template.json, too.",
        )
    return _Loaded(processor, network, _settings(processor, network), _prompt(processor), device)


def _read(folder: Path, device: str, config: EngineConfig) -> tuple[Any, Any, list[str]]:
    """Processor, network on its device, and the names of weights that were not in the files."""
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    processor = AutoProcessor.from_pretrained(folder, **local)
    network, report = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=_dtype(config, device), use_safetensors=True, output_loading_info=True, **local
    )
    lacking = [*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])]
    return processor, network.to(device).eval(), sorted(lacking)


def _dtype(config: EngineConfig, device: str) -> Any:
    import torch

    if config.precision != "auto":
        return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[config.precision]
    if device == "cpu":
        return torch.float32
    # bfloat16 has float32's range, which models trained in it may need. "auto" is what config.json says.
    return "auto" if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def _settings(processor: Any, network: Any) -> Any:
    """Greedy decoding; of the model's own settings only the tokens that begin, end and fill."""
    from transformers import GenerationConfig

    tokenizer = processor.tokenizer
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # The next word follows the last one: what fills a batch up stands in front.
    tokenizer.padding_side = "left"
    own = network.generation_config
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=MAX_NEW_TOKENS,
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id,
        pad_token_id=own.pad_token_id if own.pad_token_id is not None else tokenizer.pad_token_id,
    )


def _prompt(processor: Any) -> str:
    question = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}
    prompt: str = processor.apply_chat_template([question], add_generation_prompt=True, tokenize=False)
    return prompt


def _require_packages() -> None:
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        raise EngineUnavailable(
            f"Not installed: {', '.join(missing)}.",
            "Install the extra descriptions: "
            "`.venv/bin/python -m pip install 'torch>=2.4' 'transformers>=5'`.",
        )
