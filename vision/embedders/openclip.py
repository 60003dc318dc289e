"""Any OpenCLIP model (CLIP, SigLIP, CoCa …) on torch: pictures and texts to unit vectors of one space."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from vision.batching import Batches
from vision.config import EngineConfig
from vision.devices import thread_count
from vision.embedders.openclip_files import find_openclip
from vision.embedders.openclip_model import (
    TorchTower,
    Tower,
    load_tokenizer,
    load_tower,
    run_images,
    run_texts,
)
from vision.embedders.preprocess import Preprocess
from vision.embedders.tokenizer import ClipTokenizer
from vision.embedders.unit import unit_rows
from vision.memory import loading
from vision.results import RGBImage, SpaceInfo, Vectors
from vision.torch_devices import torch_details, torch_device, torch_precision

#: On a processor larger batches gain nothing and hold more memory.
CPU_BATCH = 8
CUDA_BATCH = 64


class OpenClip:
    """Pictures and texts to unit vectors with torch (``ImageEmbedder`` and ``TextEmbedder``).

    Making one looks for files and reads small ones; torch and the weights are loaded at first use, behind a
    lock, each tower alone: a process that only searches keeps no image tower in memory. Float32 on a
    processor, float16 on a graphics card, or as ``config.precision`` says. A batch that does not fit the card
    is halved. Safe to call from several threads. Raises EngineUnavailable when a package or file is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._files = find_openclip(config)
        self._config = config
        self._images: tuple[TorchTower, Preprocess] | None = None
        self._texts: tuple[TorchTower, ClipTokenizer] | None = None
        self._image_batches = Batches(f"{self.engine_id} (pictures)")
        self._text_batches = Batches(f"{self.engine_id} (texts)")
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``clip/<model>/<weights>``, with ``@<fingerprint>`` for a checkpoint of one's own.

        The name of the space, not of the runtime: an ONNX export of the same weights has the same, so that
        changing the runtime makes nothing stale. Precision is no part of it: vectors agree within 1e-3.
        """
        return f"{self.space.engine}/{self.space.model}"

    @property
    def space(self) -> SpaceInfo:
        """The space of these weights, whichever runtime computes them."""
        return self._files.space

    @property
    def details(self) -> dict[str, str]:
        """Device and precision, as the settings say."""
        return torch_details(self._config)

    def embed_images(self, images: Sequence[RGBImage]) -> Vectors:
        """[N] upright RGB images to float32 [N, D], unit rows.

        Raises EngineUnavailable when the weights cannot be loaded, EngineFailed when a picture has no vector.
        """
        if not images:
            return self._nothing()
        tower, prepare = self._image_tower()
        threads = thread_count(self._config)
        rows = self._image_batches.run(
            images, lambda batch: run_images(tower, prepare, batch, threads), _at_most(tower)
        )
        return unit_rows(rows, self.space.dimensions, self.engine_id, "picture")

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N] texts to float32 [N, D], unit rows. Raises as ``embed_images`` does."""
        if not texts:
            return self._nothing()
        tower, tokenizer = self._text_tower()
        rows = self._text_batches.run(
            texts, lambda batch: run_texts(tower, tokenizer, batch), _at_most(tower)
        )
        return unit_rows(rows, self.space.dimensions, self.engine_id, "text")

    def knows_word(self, word: str) -> bool:
        """Whether its tokenizer has the word as a whole; loads the text tower. Raises as ``embed_texts``."""
        return self._text_tower()[1].is_one_token(word)

    def _image_tower(self) -> tuple[TorchTower, Preprocess]:
        if self._images is None:
            with self._lock:
                if self._images is None:
                    self._images = self._load("image")
        return self._images

    def _text_tower(self) -> tuple[TorchTower, ClipTokenizer]:
        if self._texts is None:
            with self._lock:
                if self._texts is None:
                    tokenizer = load_tokenizer(self._files)
                    tower, _ = self._load("text")
                    self._texts = tower, tokenizer
        return self._texts

    def _load(self, tower: Tower) -> tuple[TorchTower, Preprocess]:
        device = torch_device(self._config)
        precision = torch_precision(self._config, device)
        with loading(self.engine_id, f"{tower} tower", device=device, precision=precision):
            return load_tower(self._files, tower, device, precision)

    def _nothing(self) -> Vectors:
        return np.zeros((0, self.space.dimensions), dtype=np.float32)


def _at_most(tower: TorchTower) -> int:
    return CPU_BATCH if tower.device == "cpu" else CUDA_BATCH
