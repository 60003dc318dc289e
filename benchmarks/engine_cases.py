"""The engines of ``benchmarks/engines.py``: each beside the bare call of the library under it.

The bare call does what nobody can leave out: the library's own preparation of the picture, and its model,
loaded a second time. Where a library's preparation is not public, ours stands on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from benchmarks.previews import pictures
from benchmarks.random_models import describer_folder, face_pack
from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.results import RGBImage
from vision.tests.describer_support import pretend_torchvision

RANDOM_TAG = "random"
Call = Callable[[Sequence[RGBImage]], object]


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured where. ``scratch`` takes random models, ``models`` holds downloaded ones."""

    scratch: Path
    models: Path | None
    device: str
    clip: str
    random: bool

    @property
    def config(self) -> EngineConfig:
        """Of the device, over the cache that holds the models."""
        device = cast(Literal["cpu", "cuda"], self.device)
        return EngineConfig(self.scratch if self.random else self.models or self.scratch, device=device)


@dataclass(frozen=True, slots=True)
class Case:
    """An engine and the bare call; ``text`` where it embeds texts; ``finds`` what it finds a number of."""

    engine_id: str
    ours: Call
    bare: Call | None = None
    text: Callable[[Sequence[str]], object] | None = None
    finds: str = ""


def openclip(setup: Setup) -> Case:
    """OpenCLIP on torch; bare: its own transform, encode_image, normalised."""
    import_open_clip()
    import torch
    from PIL import Image

    from vision.embedders.openclip import OpenClip
    from vision.embedders.openclip_files import find_openclip
    from vision.embedders.openclip_model import load_model
    from vision.torch_devices import torch_dtype, torch_precision

    config = random_clip(setup) if setup.random else setup.config
    engine = OpenClip(config)
    kept: list[Any] = []

    def bare(images: Sequence[RGBImage]) -> object:
        if not kept:
            from open_clip import get_model_preprocess_cfg
            from open_clip.transform import PreprocessCfg, image_transform_v2

            precision = torch_precision(config, setup.device)
            model = load_model(find_openclip(config), precision).to(setup.device)
            settings = get_model_preprocess_cfg(model)
            transform = image_transform_v2(PreprocessCfg(**settings), is_train=False)
            kept.extend((model, transform, torch_dtype(precision)))
        model, transform, dtype = kept
        rows = torch.stack([transform(Image.fromarray(image)) for image in images])
        with torch.inference_mode():
            found = model.encode_image(rows.to(setup.device, dtype))
            return (found / found.norm(dim=-1, keepdim=True)).float().cpu().numpy()

    return Case(engine.engine_id, engine.embed_images, bare, engine.embed_texts)


def onnx_clip(setup: Setup) -> Case:
    """CLIP on ONNX Runtime in float32; bare: the same preparation, and the session by itself."""
    return _onnx(setup, exported(setup) if setup.random else None)


def onnx_clip_int8(setup: Setup) -> Case:
    """The int8 version of the same, made here."""
    from vision.embedders.parity import drawn_pictures
    from vision.embedders.quantize import quantize_clip
    from vision.weights import downloaded

    source = exported(setup) if setup.random else downloaded("clip", setup.config.model_cache_dir)
    target = setup.scratch / "int8"
    if source is not None and not target.exists():
        quantize_clip(source, target, setup.config, drawn_pictures())
    case = _onnx(setup, target if target.exists() else None)
    return replace(case, engine_id=f"{case.engine_id} int8")


def _onnx(setup: Setup, folder: Path | None) -> Case:
    config = replace(setup.config, clip_onnx_dir=folder)
    engine = choice.embedder(config)
    sessions: list[Any] = []

    def bare(images: Sequence[RGBImage]) -> object:
        import onnxruntime

        from vision.devices import provider_options, session_options, start_providers
        from vision.embedders.clip_folder import read_clip_folder
        from vision.weights import downloaded

        if not sessions:
            place = read_clip_folder(folder or downloaded("clip", config.model_cache_dir))
            providers = start_providers(config)
            session = onnxruntime.InferenceSession(
                str(place.visual_model),
                session_options(config),
                providers=providers,
                provider_options=provider_options(providers, config),
            )
            sessions.extend((session, place.preprocess))
        session, prepare = sessions
        rows = np.stack([prepare(image) for image in images])
        given = session.get_inputs()[0]
        step = given.shape[0] if isinstance(given.shape[0], int) else len(rows)
        parts = [session.run(None, {given.name: rows[i : i + step]})[0] for i in range(0, len(rows), step)]
        found = np.concatenate(parts)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return Case(engine.engine_id, engine.embed_images, bare, engine.embed_texts)


def ram_plus(setup: Setup) -> Case:
    """RAM++; bare: the same preparation and the network by itself."""
    import torch

    from vision.taggers import ram_plus as adapter
    from vision.taggers.ram_plus_checkpoint import RAM_PLUS, load_network
    from vision.torch_devices import torch_dtype, torch_precision

    if setup.random:
        random_ram_plus(setup.scratch / adapter.FOLDER)
    engine = adapter.RamPlusTagger(setup.config)
    networks: list[Any] = []
    prepare = adapter.preprocess()

    def bare(images: Sequence[RGBImage]) -> object:
        dtype = torch_dtype(torch_precision(setup.config, setup.device))
        if not networks:
            path = setup.config.model_cache_dir / adapter.FOLDER / adapter.CHECKPOINT
            networks.append(load_network(path, RAM_PLUS, device=setup.device, dtype=dtype))
        rows = torch.from_numpy(np.stack([prepare(image) for image in images]))
        with torch.inference_mode():
            return networks[0](rows.to(setup.device, dtype)).float().cpu().numpy()

    return Case(engine.engine_id, engine.tag_images, bare)


def rapidocr(setup: Setup) -> Case:
    """RapidOCR; bare: its own call on the same working copy, one reading of each picture."""
    engine = choice.reader(setup.config)
    readers: list[Any] = []

    def bare(images: Sequence[RGBImage]) -> object:
        from vision.readers.page import working_copy
        from vision.readers.rapid_models import rapid_models
        from vision.readers.rapid_ocr import _load

        if not readers:
            readers.append(_load(rapid_models(setup.config), setup.config))
        return [readers[0](working_copy(image)) for image in images]

    return Case(engine.engine_id, engine.read, bare)


def dlib(setup: Setup) -> Case:
    """dlib; bare: detector, landmarks and descriptor on the same pictures."""
    from vision.faces.dlib_faces import WORKING_EDGE, DlibFaces, _load, _weights

    engine = DlibFaces(setup.config)
    models: list[Any] = []

    def bare(images: Sequence[RGBImage]) -> object:
        if not models:
            models.append(_load(*_weights()))
        found = []
        for image in images:
            assert max(image.shape) <= WORKING_EDGE
            rectangles, _, _ = models[0].detector.run(image, 0, setup.config.face_min_confidence)
            shapes = [models[0].landmarks(image, rectangle) for rectangle in rectangles]
            found.append([models[0].recognizer.compute_face_descriptor(image, shape) for shape in shapes])
        return found

    return Case(engine.engine_id, engine.analyze, bare)


def insightface(setup: Setup) -> Case:
    """InsightFace; no bare call: its own searches at one size only."""
    config = replace(setup.config, face_engine="insightface")
    if setup.random:
        config = replace(config, face_model=random_faces(setup))
    engine = choice.faces(config)
    return Case(engine.engine_id, engine.analyze, finds="faces")


def yunet_sface(setup: Setup) -> Case:
    """YuNet and SFace, with downloaded weights; no bare call: its own searches at one size only."""
    engine = choice.faces(replace(setup.config, face_engine="yunet_sface"))
    return Case(engine.engine_id, engine.analyze, finds="faces")


def paddleocr(setup: Setup) -> Case:
    """PaddleOCR, with downloaded weights."""
    engine = choice.reader(replace(setup.config, reader="paddleocr"))
    return Case(engine.engine_id, engine.read)


def describer(setup: Setup) -> Case:
    """The vision-language model; random ones write 96 words about every picture."""
    config = replace(setup.config, descriptions=True)
    if setup.random:
        require("transformers", "torch")
        pretend_torchvision()
        describer_folder(setup.scratch / "random-describer")
        config = replace(config, description_model_dir=setup.scratch / "random-describer")
    engine = choice.describer(config)
    return Case(engine.engine_id, engine.describe)


def pdq(setup: Setup) -> Case:
    """PDQ; bare: shrinking with Pillow and the package's own call."""
    engine = choice.hasher()

    def bare(images: Sequence[RGBImage]) -> object:
        import pdqhash
        from PIL import Image

        found = []
        for image in images:
            small = Image.fromarray(image)
            small.thumbnail((512, 512), Image.Resampling.BOX, reducing_gap=None)
            found.append(pdqhash.compute(np.array(small)))
        return found

    return Case(engine.engine_id, engine.hash_images, bare)


CASES: dict[str, Callable[[Setup], Case]] = {
    "openclip": openclip,
    "onnx_clip": onnx_clip,
    "onnx_clip_int8": onnx_clip_int8,
    "ram_plus": ram_plus,
    "rapidocr": rapidocr,
    "paddleocr": paddleocr,
    "dlib": dlib,
    "insightface": insightface,
    "yunet_sface": yunet_sface,
    "pdq": pdq,
    "describer": describer,
}


def require(*packages: str) -> None:
    """Raise EngineUnavailable for the first that is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise EngineUnavailable(f"The package {package} is not installed.", "docs/models.md says how.")


def import_open_clip() -> None:
    """With torchvision's operators declared where its compiled part does not fit torch; needs the package."""
    require("open_clip", "torch")
    from vision.tests.torch_support import import_open_clip as declare

    declare()


def random_clip(setup: Setup) -> EngineConfig:
    """A model of this name with random weights, made once."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = setup.scratch / "openclip" / f"{setup.clip}__{RANDOM_TAG}"
    path = folder / "open_clip_model.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True)
        torch.manual_seed(1)
        model = open_clip.create_model(setup.clip, pretrained=None)
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return replace(setup.config, embedder="openclip", openclip_model=f"{setup.clip}/{RANDOM_TAG}")


def exported(setup: Setup) -> Path:
    """The same for ONNX Runtime, made once."""
    from vision.embedders.export import export_clip

    import_open_clip()
    folder = setup.scratch / "exported"
    if not folder.exists():
        export_clip(random_clip(setup), folder)
    return folder


def random_faces(setup: Setup) -> str:
    """A pack of InsightFace with random weights, made once; its name."""
    require("insightface", "timm")
    pretend_torchvision()
    face_pack(setup.scratch / "insightface" / RANDOM_TAG, pictures(None, 8))
    return RANDOM_TAG


def random_ram_plus(folder: Path) -> None:
    """Full size, random weights, tags without meaning; made once."""
    from vision.taggers.ram_plus import CHECKPOINT
    from vision.taggers.ram_plus_checkpoint import RAM_PLUS
    from vision.taggers.ram_plus_tags import TAG_FILES
    from vision.tests.ram_plus_support import save_checkpoint, small_weights

    if (folder / CHECKPOINT).is_file():
        return
    folder.mkdir(parents=True)
    names = "\n".join(f"tag {number}" for number in range(RAM_PLUS.tags))
    for name in TAG_FILES:
        (folder / name).write_text("0.5\n" * RAM_PLUS.tags if "threshold" in name else names)
    save_checkpoint(folder / CHECKPOINT, small_weights(RAM_PLUS))
