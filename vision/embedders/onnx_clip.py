"""CLIP-like models (CLIP, OpenCLIP, SigLIP) on ONNX Runtime, from a folder of files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.batching import Batches, is_out_of_memory
from vision.config import EngineConfig
from vision.devices import device_name, onnx_providers, onnx_session, thread_count
from vision.embedders.clip_folder import REMEDY, SMALL_FILES, ClipFolder, read_clip_folder
from vision.embedders.preprocess import prepare_all
from vision.embedders.tokenizer import ClipTokenizer, read_tokenizer
from vision.embedders.unit import unit_rows
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.results import RGBImage, SpaceInfo, Vectors
from vision.weights import check_file

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True, slots=True)
class _Tower:
    """One half of the model. Exports differ in names, widths and batch: the session says which."""

    session: Any
    path: Path
    input_name: str
    input_shape: tuple[object, ...]
    dtype: type[np.generic]
    output_name: str

    @property
    def fixed_batch(self) -> int | None:
        """The batch the graph was exported with, or None when it takes any."""
        size = self.input_shape[0] if self.input_shape else None
        return size if isinstance(size, int) else None

    def run(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """[N, ...] input rows, at most the fixed batch, to float32 [N, D].

        Raises EngineFailed; running out of memory goes through as ONNX Runtime raises it.
        """
        rows = rows.astype(self.dtype, copy=False)
        count = len(rows)
        missing = (self.fixed_batch or count) - count
        if missing:
            rows = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
        try:
            (output,) = self.session.run([self.output_name], {self.input_name: rows})
        except Exception as error:  # ONNX Runtime's errors share no base class
            if is_out_of_memory(error):
                raise
            raise EngineFailed(f"{self.path} failed on a batch of shape {rows.shape}: {error}") from error
        return np.asarray(output, dtype=np.float32)[:count]


class OnnxClip:
    """Pictures and texts to unit vectors of one space (``ImageEmbedder`` and ``TextEmbedder``).

    Making one reads only the small files. Each tower is loaded at its first use, behind its own lock, so a
    process that only searches never loads the image tower. Safe to call from several threads.
    Raises EngineUnavailable when the folder is absent or incomplete.
    """

    def __init__(self, folder: Path | None, config: EngineConfig) -> None:
        self._folder: ClipFolder = read_clip_folder(folder)
        if find_spec("onnxruntime") is None or find_spec("tokenizers") is None:
            raise EngineUnavailable("ONNX Runtime or tokenizers is not installed.", "Run `make install`.")
        if config.device == "cuda":
            onnx_providers(config)
        self._config = config
        self._visual: _Tower | None = None
        self._textual: tuple[_Tower, ClipTokenizer] | None = None
        self._image_batches = Batches(f"{self.engine_id} (pictures)")
        self._text_batches = Batches(f"{self.engine_id} (texts)")
        self._visual_lock = threading.Lock()
        self._textual_lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """The space's name, ``clip/<model>/<weights>`` or ``onnx_clip/<model>@<fingerprint>``.

        Not the runtime's: vectors of one space stay valid when another runtime or precision computes them.
        """
        return f"{self.space.engine}/{self.space.model}"

    @property
    def space(self) -> SpaceInfo:
        """The one the export names; otherwise the model with its fingerprint is a space of its own."""
        return self._folder.space

    @property
    def details(self) -> dict[str, str]:
        """The device that a tower is loaded on."""
        return {"device": device_name(onnx_providers(self._config)[0])}

    def embed_images(self, images: Sequence[RGBImage]) -> Vectors:
        """[N] upright RGB images to float32 [N, D], unit rows. Raises EngineFailed when one has no vector."""
        if not images:
            return self._nothing()
        tower, prepare = self._image_tower(), self._folder.preprocess

        def once(batch: Sequence[RGBImage]) -> npt.NDArray[np.float32]:
            return tower.run(prepare_all(prepare, batch, thread_count(self._config)))

        rows = self._image_batches.run(images, once, tower.fixed_batch)
        return unit_rows(rows, self.space.dimensions, self.engine_id, "picture")

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N] texts to float32 [N, D], unit rows. Raises EngineFailed when one has no vector."""
        if not texts:
            return self._nothing()
        tower, tokenizer = self._text_tower()
        rows = self._text_batches.run(texts, lambda batch: tower.run(tokenizer(batch)), tower.fixed_batch)
        return unit_rows(rows, self.space.dimensions, self.engine_id, "text")

    def knows_word(self, word: str) -> bool:
        """Whether its tokenizer has the word as a whole; loads the text tower. Raises as ``embed_texts``."""
        return self._text_tower()[1].is_one_token(word)

    def _image_tower(self) -> _Tower:
        if self._visual is None:
            with self._visual_lock:
                if self._visual is None:
                    tower = self._load(self._folder.visual_model, "image tower")
                    size = self._folder.preprocess
                    _check_shape(tower, (3, size.height, size.width), "visual/preprocess_cfg.json")
                    self._visual = tower
        return self._visual

    def _text_tower(self) -> tuple[_Tower, ClipTokenizer]:
        if self._textual is None:
            with self._textual_lock:
                if self._textual is None:
                    tower = self._load(self._folder.textual_model, "text tower")
                    _check_shape(tower, (self._folder.context_length,), "config.json")
                    self._textual = tower, read_tokenizer(self._folder.tokens)
        return self._textual

    def _load(self, model: Path, part: str) -> _Tower:
        with loading(self.engine_id, part) as details:
            tower = _load_tower(model, self._folder, self._config)
            details["device"] = device_name(tower.session.get_providers()[0])
        return tower

    def _nothing(self) -> Vectors:
        return np.zeros((0, self.space.dimensions), dtype=np.float32)


def _load_tower(model: Path, folder: ClipFolder, config: EngineConfig) -> _Tower:
    for name in SMALL_FILES:
        check_file(folder.path / name)
    session = onnx_session(model, config)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _DTYPES:
        found = ", ".join(f"{i.name} {i.type}" for i in inputs)
        raise EngineUnavailable(f"{model} must have one input of numbers; it has: {found}.", REMEDY)
    # Some exports also give the hidden states; a vector has two axes, and a named second one may be free.
    outputs = [output for output in session.get_outputs() if len(output.shape) == 2]
    outputs.sort(key=lambda output: output.shape[1] != folder.space.dimensions)
    if not outputs:
        raise EngineUnavailable(f"{model} has no output of shape [N, {folder.space.dimensions}].", REMEDY)
    return _Tower(
        session=session,
        path=model,
        input_name=inputs[0].name,
        input_shape=tuple(inputs[0].shape),
        dtype=_DTYPES[inputs[0].type],
        output_name=outputs[0].name,
    )


def _check_shape(tower: _Tower, expected: tuple[int, ...], said_by: str) -> None:
    """The shape a row will have must be the one the graph was exported for."""
    wanted = tower.input_shape[1:]
    fits = len(wanted) == len(expected) and all(
        not isinstance(w, int) or w == e for w, e in zip(wanted, expected, strict=True)
    )
    if not fits:
        raise EngineUnavailable(
            f"{tower.path} wants rows of {list(wanted)}, {said_by} says {list(expected)}.", REMEDY
        )
