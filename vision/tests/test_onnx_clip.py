"""CLIP from a folder: layouts, preprocessing, tokens, errors, and real ranking with the stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image, UnidentifiedImageError

from vision.config import EngineConfig
from vision.embedders.clip_folder import read_clip_folder
from vision.embedders.onnx_clip import OnnxClip
from vision.embedders.preprocess import Preprocess, parse_preprocess
from vision.embedders.tokenizer import canonicalize, cleaned, read_tokenizer
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import ImageEmbedder, TextEmbedder
from vision.tests.assets import CLIP_SURROGATE, PHOTOS, need_assets, photo
from vision.tests.small_models import (
    DIMENSIONS,
    END,
    FIXED,
    FREE,
    PAD,
    START,
    VOCABULARY,
    Variant,
    build_clip_folder,
)

HALF = Variant(
    "pixel_values", "input_ids", TensorProto.INT64, 3, normalised=False, image_type=TensorProto.FLOAT16
)


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    return EngineConfig(model_cache_dir=tmp_path / "cache", device="cpu", threads=1)


def pictures(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("variant", [FIXED, FREE, HALF], ids=["fixed-int32", "free-int64", "fixed3-half"])
def test_unit_vectors_from_every_kind_of_export(
    tmp_path: Path, config: EngineConfig, variant: Variant
) -> None:
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny", variant), config)
    images, texts = pictures(5), ["a photo of a cat", "the sea", "a dog in the house", "it"]
    vectors, words = clip.embed_images(images), clip.embed_texts(texts)
    assert vectors.shape == (5, DIMENSIONS) and words.shape == (4, DIMENSIONS)
    assert vectors.dtype == words.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)
    one_by_one = np.concatenate([clip.embed_images([image]) for image in images])
    np.testing.assert_allclose(vectors, one_by_one, atol=1e-5)


def test_exports_of_one_model_agree(tmp_path: Path, config: EngineConfig) -> None:
    fixed = OnnxClip(build_clip_folder(tmp_path / "fixed", FIXED), config)
    free = OnnxClip(build_clip_folder(tmp_path / "free", FREE), config)
    np.testing.assert_allclose(fixed.embed_images(pictures(3)), free.embed_images(pictures(3)), atol=1e-5)
    np.testing.assert_allclose(fixed.embed_texts(["a cat"]), free.embed_texts(["a cat"]), atol=1e-5)


def test_keeps_its_ports_and_names_itself(tmp_path: Path, config: EngineConfig) -> None:
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny"), config)
    assert isinstance(clip, ImageEmbedder) and isinstance(clip, TextEmbedder)
    assert clip.engine_id.startswith("onnx_clip/tiny@")
    assert f"onnx_clip/{clip.space.model}" == clip.engine_id
    assert clip.space.dimensions == DIMENSIONS
    assert clip.embed_images([]).shape == clip.embed_texts([]).shape == (0, DIMENSIONS)


def test_identity_follows_content_not_place(tmp_path: Path, config: EngineConfig) -> None:
    first = OnnxClip(build_clip_folder(tmp_path / "a" / "tiny"), config)
    same = OnnxClip(build_clip_folder(tmp_path / "b" / "tiny"), config)
    other = OnnxClip(build_clip_folder(tmp_path / "c" / "tiny", preprocess={"resize_mode": "squash"}), config)
    assert first.engine_id == same.engine_id
    assert first.engine_id != other.engine_id


def test_text_works_without_loading_the_image_tower(tmp_path: Path, config: EngineConfig) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    (folder / "visual" / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    clip = OnnxClip(folder, config)
    assert clip.embed_texts(["a cat"]).shape == (1, DIMENSIONS)
    with pytest.raises(EngineUnavailable, match=r"visual/model\.onnx"):
        clip.embed_images(pictures(1))


def test_many_threads_get_one_answer(tmp_path: Path, config: EngineConfig) -> None:
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny"), config)
    answers: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: answers.append(clip.embed_texts(["a cat"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_output_that_is_no_vector_fails_with_its_number(tmp_path: Path, config: EngineConfig) -> None:
    clip = OnnxClip(build_clip_folder(tmp_path / "tiny", poison=True), config)
    with pytest.raises(EngineFailed, match="picture 1, 2 of 2"):
        clip.embed_images(pictures(2))


FILES = (
    "config.json",
    "visual/model.onnx",
    "visual/preprocess_cfg.json",
    "textual/model.onnx",
    "textual/tokenizer.json",
    "textual/tokenizer_config.json",
)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(tmp_path: Path, config: EngineConfig, name: str) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    (folder / name).unlink()
    with pytest.raises(EngineUnavailable, match=name) as caught:
        OnnxClip(folder, config)
    assert "CLIP_ONNX_DIR" in caught.value.remedy


@pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
def test_missing_folder(config: EngineConfig, folder: Path | None) -> None:
    with pytest.raises(EngineUnavailable, match="CLIP model folder"):
        OnnxClip(folder, config)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", "{", "config.json"),
        ("config.json", "[]", "no JSON object"),
        ("config.json", '{"text_cfg": {}}', "embed_dim"),
        ("config.json", '{"embed_dim": 16}', "text_cfg"),
        ("config.json", '{"embed_dim": 16, "text_cfg": {"context_length": "8"}}', "context_length"),
        ("visual/preprocess_cfg.json", '{"size": 32, "mean": [0, 0, 0]}', "std"),
        ("visual/preprocess_cfg.json", '{"size": 0}', "size"),
        ("visual/preprocess_cfg.json", '{"size": 32, "resize_mode": "melt"}', "melt"),
        ("textual/tokenizer_config.json", "{}", "pad_token"),
    ],
)
def test_malformed_file_is_named(
    tmp_path: Path, config: EngineConfig, name: str, content: str, said: str
) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    (folder / name).write_text(content)
    with pytest.raises(EngineUnavailable, match=said) as caught:
        OnnxClip(folder, config)
    assert name in caught.value.reason


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("textual/tokenizer.json", "{}", "tokenizer.json"),
        ("textual/tokenizer_config.json", '{"pad_token": "<nope>"}', "<nope>"),
        ("config.json", '{"embed_dim": 16, "text_cfg": {"context_length": 9}}', "config.json says"),
    ],
)
def test_files_that_do_not_fit_each_other(
    tmp_path: Path, config: EngineConfig, name: str, content: str, said: str
) -> None:
    folder = build_clip_folder(tmp_path / "tiny", FIXED)
    (folder / name).write_text(content)
    with pytest.raises(EngineUnavailable, match=said):
        OnnxClip(folder, config).embed_texts(["a cat"])


def test_preprocess_size_must_be_the_models(tmp_path: Path, config: EngineConfig) -> None:
    folder = build_clip_folder(tmp_path / "tiny", preprocess={"size": 48})
    with pytest.raises(EngineUnavailable, match="preprocess_cfg.json says"):
        OnnxClip(folder, config).embed_images(pictures(1))


def test_cuda_that_is_not_there_is_said(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has a CUDA provider")
    config = EngineConfig(model_cache_dir=tmp_path, device="cuda")
    with pytest.raises(EngineUnavailable, match="DEVICE=cuda"):
        OnnxClip(build_clip_folder(tmp_path / "tiny"), config)


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, vision.registry, vision.devices;"
        "heavy = {'onnxruntime', 'rapidocr', 'dlib', 'cv2', 'tokenizers', 'torch', 'django'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Preprocessing ---------------------------------------------------------------------------------------------


def settings(**changes: object) -> Preprocess:
    raw = {"size": 24, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], **changes}
    return parse_preprocess(raw)


def reference(picture: Image.Image) -> np.ndarray:
    """Normalise pixel by pixel, the plain way."""
    values = np.asarray(picture).astype(np.float64) / 255
    channels = [(values[:, :, c] - (0.4, 0.5, 0.6)[c]) / (0.2, 0.3, 0.4)[c] for c in range(3)]
    return np.stack(channels)


@pytest.mark.parametrize(("height", "width"), [(40, 61), (61, 40), (24, 24), (10, 13)])
def test_shortest_scales_the_short_side_and_cuts_the_centre(height: int, width: int) -> None:
    (image,) = pictures(1, height, width)
    picture = Image.fromarray(image)
    short = min(height, width)
    scaled = picture.resize((int(24 * width / short), int(24 * height / short)), Image.Resampling.BICUBIC)
    left, top = round((scaled.width - 24) / 2), round((scaled.height - 24) / 2)
    expected = reference(scaled.crop((left, top, left + 24, top + 24)))
    np.testing.assert_allclose(settings()(image), expected, atol=1e-5)


def test_squash_ignores_proportions() -> None:
    (image,) = pictures(1)
    expected = reference(Image.fromarray(image).resize((32, 24), Image.Resampling.BILINEAR))
    got = settings(size=[24, 32], resize_mode="squash", interpolation="bilinear")(image)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_longest_fills_the_border() -> None:
    image = np.full((24, 48, 3), 255, dtype=np.uint8)
    got = settings(resize_mode="longest", fill_color=[51, 102, 153])(image)
    np.testing.assert_allclose(got[:, 0, 0], [(0.2 - 0.4) / 0.2, (0.4 - 0.5) / 0.3, 0], atol=1e-5)
    np.testing.assert_allclose(got[:, 12, 12], [(1 - 0.4) / 0.2, (1 - 0.5) / 0.3, 1], atol=1e-5)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (30_000, 2)])
def test_extreme_shapes_stay_small(mode: str, shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), dtype=np.uint8)
    assert settings(resize_mode=mode)(image).shape == (3, 24, 24)


# Tokens ----------------------------------------------------------------------------------------------------


def tokens(folder: Path, text: str) -> list[int]:
    return read_tokenizer(read_clip_folder(folder).tokens)([text])[0].tolist()


def test_short_text_is_padded_with_the_pad_token(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    words = [START, "a", "cat", END, PAD, PAD, PAD, PAD]
    assert tokens(folder, "  A   cat\n") == [VOCABULARY[word] for word in words]


def test_long_text_is_cut_and_keeps_its_end_token(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    row = tokens(folder, "a photo of a cat in the house with the dog")
    assert len(row) == 8
    assert row[0] == VOCABULARY[START] and row[-1] == VOCABULARY[END]


def test_words_of_the_vocabulary_are_known(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(read_clip_folder(build_clip_folder(tmp_path / "tiny")).tokens)
    assert tokenizer.is_one_token("Cat")
    assert not tokenizer.is_one_token("a cat")
    assert not tokenizer.is_one_token("")


def test_pad_token_with_properties(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny")
    content = {"pad_token": {"content": END, "lstrip": False}}
    (folder / "textual" / "tokenizer_config.json").write_text(json.dumps(content))
    assert tokens(folder, "a")[-1] == VOCABULARY[END]


def test_clipa_reads_no_separator(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny", text_cfg={"tokenizer_kwargs": {"strip_sep_token": True}})
    with pytest.raises(EngineUnavailable, match="sep_token is missing"):
        read_clip_folder(folder)
    (folder / "textual" / "tokenizer_config.json").write_text(
        json.dumps({"pad_token": PAD, "sep_token": END})
    )
    assert tokens(folder, "a cat") == [VOCABULARY[word] for word in (START, "a", "cat")] + [0] * 5


def test_other_options_of_a_tokenizer_are_refused(tmp_path: Path) -> None:
    folder = build_clip_folder(tmp_path / "tiny", text_cfg={"tokenizer_kwargs": {"reduction_mask": "random"}})
    with pytest.raises(EngineUnavailable, match="reduction_mask"):
        read_clip_folder(folder)


@pytest.mark.parametrize(
    ("typed", "read"),
    [("it’s “blue”", 'it\'s "blue"'), ("a &amp; b", "a & b"), ("ＡＢ ﬁsh", "AB fish"), ("e\u0301", "é")],
)
def test_texts_are_cleaned_as_open_clip_does(typed: str, read: str) -> None:
    assert cleaned(typed, "whitespace") == read


def test_siglip_texts_are_cleaned(tmp_path: Path) -> None:
    cleaning = {"tokenizer_kwargs": {"clean": "canonicalize"}}
    siglip = build_clip_folder(tmp_path / "siglip", text_cfg=cleaning)
    plain = build_clip_folder(tmp_path / "plain")
    assert tokens(siglip, "A photo, of (a) CAT!") == tokens(plain, "a photo of a cat")
    assert tokens(plain, "a cat!") != tokens(plain, "a cat")
    assert canonicalize(" It's_a  Cat... ") == "its a cat"


# The stand-in model and real photos ------------------------------------------------------------------------


@need_assets()
@pytest.mark.assets
def test_cat_finds_the_two_cats_first(config: EngineConfig) -> None:
    names, images = [], []
    for path in sorted(PHOTOS.rglob("*")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # broken pictures are part of the set
                images.append(photo(str(path.relative_to(PHOTOS)), long_edge=512))
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
        names.append(path.name)
    clip = OnnxClip(CLIP_SURROGATE, config)
    similarity = clip.embed_images(images) @ clip.embed_texts(["cat"])[0]
    best = [names[i] for i in np.argsort(-similarity)[:2]]
    assert sorted(best) == ["cat_720p.jpg", "chelsea.png"]
