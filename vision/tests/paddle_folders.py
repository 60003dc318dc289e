"""Model folders in the formats PaddleOCR reads, made on the spot.

``read_as_onnx`` wraps the models in RapidOCR's package, which are PP-OCR models as ONNX files: real reading.
``tiny_in_paddle`` saves two small networks in Paddle's own format: dark places are lines, letters are random.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnxruntime
import yaml

from vision.readers.rapid_models import bundled_models

_DECODE = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}
_KEEP = {"KeepKeys": {"keep_keys": ["image"]}}
_NORMALIZE = {"mean": [0.5] * 3, "std": [0.5] * 3, "scale": 1 / 255}
DETECT = {
    "PreProcess": {
        "transform_ops": [
            _DECODE,
            {"DetResizeForTest": {"resize_long": 960}},
            {"NormalizeImage": {**_NORMALIZE, "order": "hwc"}},
            {"ToCHWImage": None},
            _KEEP,
        ]
    },
    "PostProcess": {
        "name": "DBPostProcess",
        "thresh": 0.3,
        "box_thresh": 0.6,
        "max_candidates": 1000,
        "unclip_ratio": 1.5,
    },
}
ORIENT = {
    "PreProcess": {
        "transform_ops": [
            {"ResizeImage": {"size": [192, 48]}},
            {"NormalizeImage": {**_NORMALIZE, "order": ""}},
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": {"Topk": {"topk": 1, "label_list": ["0_degree", "180_degree"]}},
}


def recognise(characters: list[str]) -> dict[str, Any]:
    """The configuration of a recognition model."""
    return {
        "PreProcess": {"transform_ops": [_DECODE, {"RecResizeImg": {"image_shape": [3, 48, 320]}}, _KEEP]},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }


def configure(folder: Path, name: str, configuration: dict[str, Any]) -> Path:
    """Write ``inference.yml`` of a model; its folder."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"Global": {"model_name": name}, **configuration}, allow_unicode=True)
    (path / "inference.yml").write_text(text, encoding="utf-8")
    return path


def read_as_onnx(folder: Path, *, orientation: bool) -> Path:
    """RapidOCR's models as PaddleOCR's folders."""
    paths = bundled_models()
    session = onnxruntime.InferenceSession(str(paths["Rec"]), providers=["CPUExecutionProvider"])
    characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    models = {
        "PP-OCRv6_small_det": (DETECT, paths["Det"]),
        "PP-OCRv6_small_rec": (recognise(characters), paths["Rec"]),
    }
    if orientation:
        models["PP-LCNet_x0_25_textline_ori"] = (ORIENT, paths["Cls"])
    for name, (configuration, weights) in models.items():
        shutil.copy(weights, configure(folder, name, configuration) / "inference.onnx")
    return folder


def tiny_in_paddle(folder: Path) -> Path:
    """A detector of dark places and a reader of random Hangul, as ``paddle.jit.save`` writes them."""
    import paddle

    detector = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, 1, 1),
        paddle.nn.MaxPool2D(9, 2, 4),
        paddle.nn.Upsample(
            scale_factor=2, mode="nearest"
        ),  # as in PP-OCRv5; Paddle 3.3 cannot run it on oneDNN
        paddle.nn.Sigmoid(),
    )
    detector[0].weight.set_value(paddle.full([1, 3, 1, 1], -4.0))
    detector[0].bias.set_value(paddle.zeros([1]))
    letters = list("가나다라마바사아자차카타")
    paddle.seed(1)
    reader = paddle.nn.Sequential(
        paddle.nn.Conv2D(3, len(letters) + 2, (48, 8), stride=(48, 8)),
        paddle.nn.Flatten(2, 3),
        _Transpose(),
        paddle.nn.Softmax(),
    )
    for name, network, configuration, height in (
        ("PP-OCRv5_mobile_det", detector, DETECT, None),
        ("korean_PP-OCRv5_mobile_rec", reader, recognise(letters), 48),
    ):
        network.eval()
        spec = [paddle.static.InputSpec([None, 3, height, None], "float32", "x")]
        path = configure(folder, name, configuration)
        paddle.jit.save(paddle.jit.to_static(network, input_spec=spec), str(path / "inference"))
    return folder


def _Transpose() -> Any:  # noqa: N802
    """A layer [N, letters, steps] to [N, steps, letters]; made here because Paddle is an extra."""
    import paddle

    class Transpose(paddle.nn.Layer):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return paddle.transpose(x, [0, 2, 1])

    return Transpose()
