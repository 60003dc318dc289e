"""Tiny face models in the formats of the published ones: YuNet and SFace, and a pack of InsightFace.

The detectors fire on a *mark*: a red square of 8, 16 or 32 px that lies on their grid, with something else
around it. The face they tell is 8 x 10 marks large, in its middle the mark, with five points around that. So
box, points and alignment can be calculated by the test, and a picture with swapped channels has no faces. The
recognisers answer with the mean red, green and blue of their crop, then with fixed random projections of it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vision.results import RGBImage
from vision.weights import RECORD

MARK = 8
YUNET = "face_detection_yunet_2023mar.onnx"
SFACE = "face_recognition_sface_2021dec.onnx"
#: Left and right eye, nose, left and right corner of the mouth, in marks from the mark's corner.
POINTS = ((-1.0, -1.0), (2.0, -1.0), (0.5, 0.5), (-0.8, 2.0), (1.8, 2.0))
_BOX = (8.0, 10.0)
_STRIDES = (8, 16, 32)
_FREE = "?"


def noise(width: int, height: int, seed: int = 1) -> RGBImage:
    """A picture of fine grey noise."""
    grey = np.random.default_rng(seed).integers(40, 200, (height, width, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def mark(
    picture: RGBImage, x: int, y: int, side: int = MARK, colour: tuple[int, int, int] = (255, 0, 0)
) -> None:
    """Put a mark with its corner at x, y."""
    picture[y : y + side, x : x + side] = colour


def expected_box(x: float, y: float, side: float = MARK) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the face whose mark has its corner at x, y."""
    width, height = _BOX[0] * side, _BOX[1] * side
    return (
        x + side / 2 - width / 2,
        y + side / 2 - height / 2,
        x + side / 2 + width / 2,
        y + side / 2 + height / 2,
    )


def expected_points(x: float, y: float, side: float = MARK) -> list[tuple[float, float]]:
    """The five points of that face."""
    return [(x + side * across, y + side * down) for across, down in POINTS]


def build_yunet_sface(folder: Path, *, dimensions: int = 128, poison: bool = False) -> Path:
    """Write both files and return the folder. ``poison`` makes the recogniser answer NaN."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_yunet(), folder / YUNET)
    sface = _vectors("data", "fc1", 1, dimensions, scale=("Sub", 127.5, 0.0078125), poison=poison)
    onnx.save(sface, folder / SFACE)
    return folder


def build_pack(
    folder: Path,
    *,
    batch: int | str = "None",
    dimensions: int = 512,
    landmarks: bool = True,
    shape: np.ndarray | None = None,
    attributes: bool = True,
    recognizer: bool = True,
) -> Path:
    """Write a pack with the file names of buffalo_l and return the folder.

    ``shape``, [68, 3] with z towards the eye of the beholder and a size of about 1, is what the model of 68
    points answers; without it the pack has no such model. Without ``landmarks`` the detector has 6 outputs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_scrfd(landmarks=landmarks), folder / "det_10g.onnx")
    if recognizer:
        onnx.save(_vectors("input.1", "683", batch, dimensions), folder / "w600k_r50.onnx")
    if attributes:
        onnx.save(_gender_age(), folder / "genderage.onnx")
    if shape is not None:
        onnx.save(_points_3d(shape), folder / "1k3d68.onnx")
    return folder


def record(folder: Path) -> None:
    """Write down what the files are, as a download does."""
    files = {
        path.name: {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.glob("*.onnx")
    }
    (folder / RECORD).write_text(json.dumps({"files": files}), encoding="utf-8")


def damage(path: Path) -> None:
    """Change the last bytes, not the size."""
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(255 - value for value in content[-4:]))


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))
        return output

    def constant(self, name: str, value: object) -> str:
        array = np.asarray(value)
        kept = array if array.dtype == np.int64 else array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(kept, name))
        return name

    def model(self, inputs: tuple[str, list[object]], outputs: dict[str, list[object]]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "faces",
            [helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, inputs[1])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
        onnx.checker.check_model(model)
        return model


def _find_marks(graph: _Graph, name: str, stride: int, red: int, full: float, copies: int) -> str:
    """Map [1, copies, H/stride, W/stride]: 1 where a cell is red and its neighbours are not, else 0 or less.

    ``full`` is the difference of black and full colour in the model's input.
    """
    side = 3 * stride
    ring = np.full((side, side), -1 / (8 * stride * stride))
    ring[stride : 2 * stride, stride : 2 * stride] = 1 / (stride * stride)
    weights = np.zeros((copies, 3, side, side))
    weights[:, red] = 4 * ring / full
    weights[:, 2 - red] = -4 * ring / full
    graph.constant(f"{name}_w", weights)
    graph.constant(f"{name}_b", np.full(copies, -3.0))
    return graph.add(
        "Conv",
        ["input", f"{name}_w", f"{name}_b"],
        f"{name}_c",
        strides=[stride] * 2,
        pads=[stride] * 4,
        kernel_shape=[side] * 2,
    )


def _same_everywhere(graph: _Graph, name: str, stride: int, values: list[float]) -> str:
    graph.constant(f"{name}_w", np.zeros((len(values), 3, stride, stride)))
    graph.constant(f"{name}_b", values)
    return graph.add(
        "Conv",
        ["input", f"{name}_w", f"{name}_b"],
        f"{name}_c",
        strides=[stride] * 2,
        kernel_shape=[stride] * 2,
    )


def _yunet() -> onnx.ModelProto:
    """Input BGR 0..255 at a fixed size, outputs [1, cells, 1|1|4|10] for each stride, as the file of 2023."""
    graph = _Graph()
    graph.constant("zero", 0.0)
    graph.constant("one", 1.0)
    answers = {
        "obj": [1.0],
        "bbox": [0.5, 0.5, float(np.log(_BOX[0])), float(np.log(_BOX[1]))],
        "kps": [value for point in POINTS for value in point],
    }
    outputs: dict[str, list[object]] = {}
    for kind in ("cls", *answers):
        for stride in _STRIDES:
            name = f"{kind}_{stride}"
            if kind == "cls":
                found = _find_marks(graph, name, stride, red=2, full=255.0, copies=1)
                found = graph.add("Clip", [found, "zero", "one"], f"{name}_r")
            else:
                found = _same_everywhere(graph, name, stride, answers[kind])
            width = len(answers.get(kind, [1.0]))
            graph.add("Transpose", [found], f"{name}_t", perm=[0, 2, 3, 1])
            graph.constant(f"{name}_s", np.array([1, -1, width], dtype=np.int64))
            graph.add("Reshape", [f"{name}_t", f"{name}_s"], name)
            outputs[name] = [1, (640 // stride) ** 2, width]
    return graph.model(("input", [1, 3, 640, 640]), outputs)


def _scrfd(*, landmarks: bool) -> onnx.ModelProto:
    """Input RGB -1..1 at any size, outputs [cells * 2, 1|4|10] for each stride: two anchors a cell."""
    graph = _Graph()
    middle = 0.5
    across, down = _BOX[0] / 2, _BOX[1] / 2
    box = [across - middle, down - middle, across + middle, down + middle]
    kinds = {"score": [], "bbox": box} | (
        {"kps": [value for point in POINTS for value in point]} if landmarks else {}
    )
    outputs: dict[str, list[object]] = {}
    for kind, values in kinds.items():
        for stride in _STRIDES:
            name = f"{kind}_{stride}"
            if kind == "score":
                found = _find_marks(graph, name, stride, red=0, full=255 / 128, copies=2)
            else:
                found = _same_everywhere(graph, name, stride, values * 2)
            width = len(values) or 1
            graph.add("Transpose", [found], f"{name}_t", perm=[2, 3, 0, 1])
            graph.constant(f"{name}_s", np.array([-1, width], dtype=np.int64))
            graph.add("Reshape", [f"{name}_t", f"{name}_s"], name)
            outputs[name] = [f"cells_{stride}", width]
    return graph.model(("input", [1, 3, _FREE, _FREE]), outputs)


def _vectors(
    name: str,
    output: str,
    batch: int | str,
    dimensions: int,
    *,
    scale: tuple[str, float, float] | None = None,
    poison: bool = False,
) -> onnx.ModelProto:
    """112 x 112 to means of the three channels and random projections of 7 x 7 patches."""
    graph = _Graph()
    source = name
    if scale is not None:
        graph.constant("mean", scale[1])
        graph.constant("factor", scale[2])
        source = graph.add("Mul", [graph.add(scale[0], [name, "mean"], "shifted"), "factor"], "scaled")
    weights = np.random.default_rng(5).standard_normal((3, 49, dimensions)) * 0.02
    weights[:, :, :3] = 0
    for channel in range(3):
        weights[channel, :, channel] = 1 / 49
    if poison:
        weights[:] = np.nan
    graph.constant("weights", weights.reshape(147, dimensions))
    graph.add("AveragePool", [source], "pooled", kernel_shape=[16, 16], strides=[16, 16])
    graph.add("Flatten", ["pooled"], "flat")
    graph.add("MatMul", ["flat", "weights"], output)
    return graph.model((name, [batch, 3, 112, 112]), {output: [batch, dimensions]})


def _gender_age() -> onnx.ModelProto:
    """96 x 96, values 0..255 scaled inside, to: 0, red minus blue, green in centuries."""
    graph = _Graph()
    graph.constant("mean", 0.0)
    graph.constant("factor", 1 / 255)
    scaled = graph.add("Mul", [graph.add("Sub", ["data", "mean"], "shifted"), "factor"], "scaled")
    graph.constant("weights", [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    graph.add("GlobalAveragePool", [scaled], "pooled")
    graph.add("Flatten", ["pooled"], "flat")
    graph.add("MatMul", ["flat", "weights"], "fc1")
    return graph.model(("data", ["None", 3, 96, 96]), {"fc1": ["None", 3]})


def _points_3d(shape: np.ndarray) -> onnx.ModelProto:
    """192 x 192 to 1103 points, of which the last 68 count; always the same."""
    graph = _Graph()
    graph.constant("mean", 0.0)
    graph.constant("factor", 1.0)
    scaled = graph.add("Mul", [graph.add("Sub", ["data", "mean"], "shifted"), "factor"], "scaled")
    points = np.zeros((1103, 3))
    points[-68:] = shape * 0.8
    graph.constant("weights", np.zeros((3, 3309)))
    graph.constant("bias", points.reshape(-1))
    graph.add("GlobalAveragePool", [scaled], "pooled")
    graph.add("Flatten", ["pooled"], "flat")
    graph.add("Gemm", ["flat", "weights", "bias"], "fc1")
    return graph.model(("data", ["None", 3, 192, 192]), {"fc1": ["None", 3309]})
