"""RAM++: a picture to the everyday words that hold for it, out of 4,585 trained tags.

The published class thresholds differ from tag to tag (0.45 to 0.99; ten tags are switched off with 1). So
that one setting means the same for every tag, a confidence is measured from the tag's own threshold on the
logit scale:
``confidence = sigmoid(logit(p) - logit(threshold))``: 0.5 is exactly the published threshold, and
``tag_min_confidence`` above it asks more of every tag alike.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.batching import Batches, is_out_of_memory
from vision.config import EngineConfig
from vision.devices import thread_count
from vision.embedders.preprocess import Preprocess, prepare_all
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.results import RGBImage, Tag
from vision.taggers.ram_plus_checkpoint import RAM_PLUS, RamPlusShape, load_network
from vision.taggers.ram_plus_tags import TAG_FILES, Language, RamTags, read_tags
from vision.torch_devices import TorchPrecision, torch_details, torch_device, torch_dtype, torch_precision
from vision.weights import downloaded

if TYPE_CHECKING:
    from vision.taggers.ram_plus_network import RamPlusNetwork

ENGINE = "ram_plus"
FOLDER = "ram_plus"
CHECKPOINT = "ram_plus_swin_large_14m.pth"
#: The processor gains nothing from batches (measured), and each picture more costs 0.25 GB.
CPU_BATCH = 1
CUDA_BATCH = 16
#: Statistics of ImageNet, which the encoder was trained with.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_TAIL = 256 * 1024
#: Starts the last record of every zip archive, which is what a checkpoint is.
_ZIP_END = b"PK\x05\x06"


class RamPlusTagger:
    """Pictures to tags with RAM++ (``Tagger``), from the files below ``<model cache>/ram_plus``.

    Making one reads only the tag files and the checkpoint's last quarter megabyte; torch and the weights are
    loaded at the first picture, behind a lock. Safe to call from several threads. Float32 on the processor;
    float16 on a graphics card (bfloat16 flips a few tags, float16 none); ``precision`` overrides that. The
    threshold and the number of tags are no part of the identity: a change counts for what is tagged from then
    on. Raises EngineUnavailable when torch or a file is missing.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        language: Language = "en",
        precision: TorchPrecision | None = None,
        batch_size: int | None = None,
        shape: RamPlusShape = RAM_PLUS,
    ) -> None:
        folder = downloaded(ENGINE, config.model_cache_dir) or config.model_cache_dir / FOLDER
        _require(folder)
        self._checkpoint = folder / CHECKPOINT
        self._tags: RamTags = read_tags(folder)
        self._fingerprint = _fingerprint(self._checkpoint, self._tags, language)
        self._config = config
        self._names = self._tags.names(language)
        self._precision = precision
        self._batches = Batches("RAM++")
        self._batch_size = batch_size
        self._shape = shape
        self._bars = threshold_logits(self._tags.thresholds)
        self._preprocess = preprocess(shape)
        self._network: RamPlusNetwork | None = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``ram_plus/<fingerprint of weights, tag lists and language>``."""
        return f"{ENGINE}/{self._fingerprint}"

    @property
    def details(self) -> dict[str, str]:
        """Device and precision, as the settings say."""
        return torch_details(self._config)

    def tag_images(self, images: Sequence[RGBImage]) -> list[list[Tag]]:
        """[N] upright RGB images to one list of tags a picture, most confident first.

        Raises EngineUnavailable when the weights cannot be loaded, EngineFailed when a picture gets no
        usable answer.
        """
        confidences = calibrate(self.logits(images), self._bars)
        return [self._best(row) for row in confidences]

    def logits(self, images: Sequence[RGBImage]) -> npt.NDArray[np.float32]:
        """[N] upright RGB images to float32 [N, tags], as the network gives them."""
        if not images:
            return np.zeros((0, len(self._tags)), dtype=np.float32)
        network = self._loaded()
        at_most = self._batch_size or self._usual_batch(network)
        return self._checked(self._batches.run(images, lambda batch: self._run(network, batch), at_most))

    def _run(self, network: RamPlusNetwork, images: Sequence[RGBImage]) -> npt.NDArray[np.float32]:
        import torch

        weights = network.image_proj.weight
        pixels = torch.from_numpy(prepare_all(self._preprocess, images, thread_count(self._config)))
        try:
            with torch.inference_mode():
                output = network(pixels.to(device=weights.device, dtype=weights.dtype)).float().cpu().numpy()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise EngineFailed(f"{self.engine_id} failed on {len(images)} pictures: {error}") from error
        answer: npt.NDArray[np.float32] = output
        return answer

    def _checked(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
        if bad.size:
            numbers = ", ".join(str(index + 1) for index in bad)
            raise EngineFailed(f"{self.engine_id} gave no numbers for picture {numbers} of {len(logits)}.")
        return logits

    def _usual_batch(self, network: RamPlusNetwork) -> int:
        return CUDA_BATCH if network.image_proj.weight.is_cuda else CPU_BATCH

    def _best(self, confidences: npt.NDArray[np.float32]) -> list[Tag]:
        """The most confident tags over the setting, each name once."""
        minimum = self._config.tag_min_confidence
        best: dict[str, Tag] = {}
        for index in np.argsort(-confidences, kind="stable"):
            confidence = float(confidences[index])
            if confidence < minimum or not confidence or len(best) == self._config.tags_per_photo:
                break
            best.setdefault(self._names[index], Tag(name=self._names[index], confidence=confidence))
        return list(best.values())

    def _loaded(self) -> RamPlusNetwork:
        if self._network is None:
            with self._lock:
                if self._network is None:
                    self._network = self._load()
        return self._network

    def _load(self) -> RamPlusNetwork:
        device = torch_device(self._config)
        precision = self._precision or torch_precision(self._config, device)
        with loading(self.engine_id, device=device, precision=precision):
            dtype = torch_dtype(precision)
            network = load_network(self._checkpoint, self._shape, device=device, dtype=dtype)
        if network.shape.tags != len(self._tags):
            raise EngineUnavailable(
                f"{self._checkpoint} knows {network.shape.tags} tags, the tag files list {len(self._tags)}.",
                "Copy the checkpoint and the tag files of the same version.",
            )
        return network


def preprocess(shape: RamPlusShape = RAM_PLUS) -> Preprocess:
    """What the model was trained with: squashed to a square, bilinear with antialiasing (Pillow's)."""
    return Preprocess(
        height=shape.image_size,
        width=shape.image_size,
        mean=_MEAN,
        std=_STD,
        interpolation=Image.Resampling.BILINEAR,
        resize_mode="squash",
    )


def threshold_logits(thresholds: Sequence[float]) -> npt.NDArray[np.float32]:
    """Probabilities in (0, 1] to logits; 1 becomes infinity: no logit reaches it."""
    values = np.asarray(thresholds, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return (np.log(values) - np.log1p(-values)).astype(np.float32)


def calibrate(logits: npt.NDArray[np.float32], bars: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[N, T] logits and [T] threshold logits to [N, T] confidences; 0.5 is a tag's own threshold."""
    margin = (logits - bars).astype(np.float64)
    confidences: npt.NDArray[np.float32] = (0.5 * (1 + np.tanh(margin / 2))).astype(np.float32)
    return confidences


def _require(folder: Path) -> None:
    """Raise EngineUnavailable naming everything that is missing, not just the first."""
    if find_spec("torch") is None:
        raise EngineUnavailable(
            "The package torch is not installed.",
            "Install the extra ram-plus: `.venv/bin/python -m pip install 'torch>=2.4'`.",
        )
    missing = [name for name in (CHECKPOINT, *TAG_FILES) if not (folder / name).is_file()]
    if missing:
        raise EngineUnavailable(f"{folder} has no {', '.join(missing)}.", _where_from(missing, folder))


def _where_from(missing: Sequence[str], folder: Path) -> str:
    places = []
    if CHECKPOINT in missing:
        places.append(
            f"{CHECKPOINT} (3.0 GB) from the Hugging Face hub, xinyu1205/recognize-anything-plus-model"
        )
    lists = [name for name in missing if name != CHECKPOINT]
    if lists:
        places.append(f"{', '.join(lists)} from ram/data of the repository xinyu1205/recognize-anything")
    return (
        f"Run `manage.py download_models --profile {ENGINE}`, or copy {' and '.join(places)} "
        f"into {folder} (MODEL_CACHE_DIR/{FOLDER})."
    )


def _fingerprint(checkpoint: Path, tags: RamTags, language: Language) -> str:
    """Eight hex digits over the weights, the tag data and the language.

    A checkpoint is a zip archive: its end lists a checksum of every tensor, so hashing the end stands for
    hashing three gigabytes. Raises EngineUnavailable when the end is missing: the file is incomplete.
    """
    try:
        with checkpoint.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
    except OSError as error:
        raise EngineUnavailable(f"{checkpoint} cannot be read: {error}.", "Check its permissions.") from error
    if _ZIP_END not in tail:
        raise EngineUnavailable(
            f"{checkpoint} ({size:,} bytes) is incomplete or no PyTorch checkpoint.",
            _where_from([CHECKPOINT], checkpoint.parent),
        )
    digest = hashlib.sha256(f"{size}|{tags.digest}|{language}|".encode())
    digest.update(tail)
    return digest.hexdigest()[:8]
