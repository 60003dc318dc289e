"""OpenCLIP on torch: parity with the library's own preprocessing, tokens and vectors, and real loading."""

from __future__ import annotations

import copy
import json
import logging
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vision import choice
from vision.embedders import openclip as openclip_module
from vision.embedders.openclip import OpenClip
from vision.embedders.openclip_model import TorchTower, clip_tokenizer
from vision.embedders.preprocess import parse_preprocess
from vision.embedders.tokenizer import (
    ClipTokenizer,
    TokenizerFiles,
    parse_clean,
    read_tokenizer,
    read_zeroed,
)
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import ImageEmbedder, TextEmbedder
from vision.tests.small_models import END, PAD, build_tokenizer
from vision.tests.torch_support import (
    CLIP_CONFIG,
    import_open_clip,
    model_folder,
    openclip_config,
    pictures,
    save_model,
    save_siglip,
)

torch = pytest.importorskip("torch", reason="torch is not installed (the extra openclip)")
pytest.importorskip("safetensors", reason="safetensors is not installed (the extra openclip)")
try:
    open_clip = import_open_clip()
except ImportError as missing:
    pytest.skip(f"open-clip-torch is not usable here: {missing}", allow_module_level=True)

pytestmark = pytest.mark.extra
TEXTS = ["a photo of a cat", "The Sea, in Winter!", "übergroße Straße", "it’s a “dog”", ""]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError(f"something asked the network for {args}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def theirs(model: Any, images: list[np.ndarray]) -> np.ndarray:
    """The vectors OpenCLIP computes by its own means."""
    config = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    with torch.inference_mode():
        pixels = torch.stack([transform(Image.fromarray(image)) for image in images])
        return model.encode_image(pixels, normalize=True).numpy()


def their_texts(model: Any, texts: list[str]) -> np.ndarray:
    with torch.inference_mode():
        tokens = open_clip.SimpleTokenizer(context_length=16)(texts)
        return model.encode_text(tokens, normalize=True).numpy()


def tiny_tokenizer_texts(model: Any, texts: list[str]) -> np.ndarray:
    tokenizer = build_tokenizer()
    tokenizer.enable_padding(length=12, pad_id=0, pad_token=PAD)
    with torch.inference_mode():
        tokens = torch.tensor([row.ids for row in tokenizer.encode_batch(texts)])
        return model.encode_text(tokens, normalize=True).numpy()


# Parity ----------------------------------------------------------------------------------------------------


def test_vectors_are_those_of_open_clip(tmp_path: Path) -> None:
    model = save_model(model_folder(tmp_path))
    clip = OpenClip(openclip_config(tmp_path))
    np.testing.assert_allclose(clip.embed_images(pictures(11)), theirs(model, pictures(11)), atol=1e-5)
    np.testing.assert_allclose(clip.embed_texts(TEXTS), their_texts(model, TEXTS), atol=1e-5)
    assert clip.embed_images([]).shape == clip.embed_texts([]).shape == (0, 32)


def test_siglip_squashes_and_canonicalises(tmp_path: Path) -> None:
    model = save_siglip(model_folder(tmp_path))
    clip = OpenClip(openclip_config(tmp_path))
    np.testing.assert_allclose(clip.embed_images(pictures(3)), theirs(model, pictures(3)), atol=1e-5)
    plain, dressed = clip.embed_texts(["a photo of a cat", "A Photo, of (a) CAT!"])
    np.testing.assert_allclose(plain, dressed, atol=1e-6)
    expected = tiny_tokenizer_texts(model, ["a photo of a cat"])[0]
    np.testing.assert_allclose(plain, expected, atol=1e-5)


def test_coca(tmp_path: Path) -> None:
    config = copy.deepcopy(CLIP_CONFIG) | {"custom_text": True}
    config["vision_cfg"] |= {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
    config["text_cfg"] |= {"embed_cls": True, "output_tokens": True}
    config["multimodal_cfg"] = {**CLIP_CONFIG["text_cfg"], "attn_pooler_heads": 2}
    model = save_model(model_folder(tmp_path), config)
    clip = OpenClip(openclip_config(tmp_path))
    np.testing.assert_allclose(clip.embed_images(pictures(2)), theirs(model, pictures(2)), atol=1e-5)
    np.testing.assert_allclose(clip.embed_texts(TEXTS), their_texts(model, TEXTS), atol=1e-5)


def test_a_text_tower_of_transformers(tmp_path: Path) -> None:
    """Its configuration is read from the folder; the name in OpenCLIP's one would mean the network."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    folder = model_folder(tmp_path)
    tower = {"model_type": "xlm-roberta", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1}
    tower |= {
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 90,
        "pad_token_id": 0,
    }
    (folder / "text").mkdir(parents=True)
    (folder / "text" / "config.json").write_text(json.dumps(tower))
    text = {"hf_model_name": str(folder / "text"), "hf_pooler_type": "mean_pooler", "hf_proj_type": "linear"}
    text |= {"hf_tokenizer_name": "tiny", "context_length": 12}
    model = save_siglip(folder, {**CLIP_CONFIG, "text_cfg": text})
    text["hf_model_name"] = "somebody/on-the-hub"
    content = {"model_cfg": {**CLIP_CONFIG, "text_cfg": text}, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    found = OpenClip(openclip_config(tmp_path)).embed_texts(["a photo of a cat"])
    np.testing.assert_allclose(found, tiny_tokenizer_texts(model, ["a photo of a cat"]), atol=1e-5)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [32, [24, 40]])
def test_preprocessing_is_that_of_open_clip(size: Any, mode: str, interpolation: str) -> None:
    raw = {"size": size, "mean": [0.48, 0.45, 0.4], "std": [0.26, 0.27, 0.28]}
    raw |= {"resize_mode": mode, "interpolation": interpolation, "fill_color": 7}
    config = {**raw, "size": size if isinstance(size, int) else tuple(size)}
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**config), is_train=False
    )
    ours = parse_preprocess(raw)
    random = np.random.default_rng(3)
    for height, width in [(32, 32), (40, 61), (61, 40), (10, 13), (33, 200), (201, 31), (100, 99), (45, 47)]:
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = transform(Image.fromarray(image)).numpy()
        np.testing.assert_allclose(ours(image), expected, atol=1e-5, err_msg=f"{height}x{width}")


def many_texts() -> list[str]:
    """Sound Unicode of all sorts. OpenCLIP also repairs what looks like a broken encoding; we do not."""
    random = np.random.default_rng(1)
    alphabet = list("abcdefghijklmnop  ''\"-_.,!?0123456789ÄÖÜéèñçøßİıΣςσжщ日本語한글🙂👍🏽\t\n’“”…–ﬁＡ１")
    noise = ["".join(random.choice(alphabet, size=random.integers(1, 60))) for _ in range(400)]
    named = [
        "don't we'll they're I'm he'd 'tis",
        "ΟΔΥΣΣΕΥΣ, İstanbul DIŞ, naïve café — Noël 2019, 3½ km²",
        "a&amp;b &lt;3 &amp;amp;",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "１２３ ＡＢＣ ﬁsh ﬂag l‘arbre e\u0301 composed",
        "<start_of_text> in it",
        "\u0000a\u200bb\ufeff",
        "٣ ৩ Ⅷ ①",
        "C:\\path\\to 100%/50 ..!!??",
    ]
    named += [*TEXTS, "word " * 300, "x" * 500]
    return named + noise


@pytest.mark.parametrize("length", [16, 77])
def test_tokens_are_those_of_open_clip(length: int) -> None:
    ours = ClipTokenizer(clip_tokenizer(), pad_token="!", context_length=length, clean="lower")
    texts = many_texts()
    expected = open_clip.SimpleTokenizer(context_length=length)(texts).numpy()
    got = ours(texts)
    wrong = [text for text, a, b in zip(texts, got, expected, strict=True) if not np.array_equal(a, b)]
    assert wrong == []


@pytest.mark.parametrize(("clean", "strip"), [("canonicalize", False), ("whitespace", True)])
def test_tokenizers_of_the_hub_give_the_same_ids(tmp_path: Path, clean: str, strip: bool) -> None:  # noqa: FBT001
    """As OpenCLIP reads them, through transformers."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    build_tokenizer().save(str(tmp_path / "tokenizer.json"))
    rules = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "sep_token": END,
        "unk_token": "<unk>",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(rules))
    reference = open_clip.tokenizer.HFTokenizer(
        str(tmp_path), context_length=8, clean=clean, strip_sep_token=strip
    )
    text_cfg = {"tokenizer_kwargs": {"clean": clean, "strip_sep_token": strip}}
    ours = read_tokenizer(
        TokenizerFiles(
            path=tmp_path / "tokenizer.json",
            pad_token=PAD,
            zeroed=read_zeroed(tmp_path / "tokenizer_config.json", text_cfg, ""),
            context_length=8,
            clean=parse_clean(text_cfg, default="whitespace"),
            remedy="",
        )
    )
    texts = ["A photo, of (a) CAT!", "a &amp; the “sea”", "the dog in the house with a picture of a cat", ""]
    np.testing.assert_array_equal(ours(texts), reference(texts).numpy())


# Loading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mine.pt", "mine.bin", "mine.safetensors"])
def test_a_checkpoint_of_ones_own(tmp_path: Path, name: str) -> None:
    model = save_model(tmp_path / "own", name=name)
    clip = OpenClip(openclip_config(tmp_path, openclip_checkpoint=tmp_path / "own" / name))
    np.testing.assert_allclose(clip.embed_images(pictures(2)), theirs(model, pictures(2)), atol=1e-5)
    assert clip.space.model.startswith("tiny/random@")


def test_a_model_of_the_package_needs_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names and tags are OpenCLIP's; QuickGELU follows from the tag, as its training had it."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "tiny-known.json").write_text(json.dumps(CLIP_CONFIG))
    open_clip.add_model_config(package / "tiny-known.json")
    tags = {"quick": {"quick_gelu": True, "mean": [0.1] * 3, "std": [0.9] * 3, "resize_mode": "squash"}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-known", tags)
    from vision.embedders import openclip_files

    real = openclip_files._model_config
    monkeypatch.setattr(
        openclip_files,
        "_model_config",
        lambda own, name: CLIP_CONFIG if name == "tiny-known" else real(own, name),
    )
    folder = model_folder(tmp_path, "tiny-known__quick")
    save_model(folder)
    (folder / "open_clip_config.json").unlink()
    reference = open_clip.create_model(
        "tiny-known",
        force_quick_gelu=True,
        force_preprocess_cfg=tags["quick"],
        pretrained=str(folder / "open_clip_model.safetensors"),
    ).eval()
    clip = OpenClip(openclip_config(tmp_path, "tiny-known/quick"))
    assert clip.engine_id == "clip/tiny-known/quick"
    np.testing.assert_allclose(clip.embed_images(pictures(3)), theirs(reference, pictures(3)), atol=1e-5)
    np.testing.assert_allclose(clip.embed_texts(TEXTS), their_texts(reference, TEXTS), atol=1e-5)


def test_identity_is_that_of_the_space(tmp_path: Path) -> None:
    save_model(model_folder(tmp_path))
    clip = choice.embedder(openclip_config(tmp_path))
    assert isinstance(clip, OpenClip)
    assert isinstance(clip, ImageEmbedder) and isinstance(clip, TextEmbedder)
    assert (clip.engine_id, clip.space.engine, clip.space.model) == (
        "clip/tiny/random",
        "clip",
        "tiny/random",
    )
    assert OpenClip(openclip_config(tmp_path, precision="bf16")).engine_id == clip.engine_id


def test_checkpoints_are_told_apart_by_content(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        save_model(tmp_path / name, seed=seed)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")

    def identity(name: str) -> str:
        file = tmp_path / name / "open_clip_model.safetensors"
        return OpenClip(openclip_config(tmp_path, openclip_checkpoint=file)).engine_id

    assert identity("a") == identity("copy") != identity("b")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_close(tmp_path: Path, precision: str) -> None:
    model = save_model(model_folder(tmp_path))
    clip = OpenClip(openclip_config(tmp_path, precision=precision))
    cosines = (clip.embed_images(pictures(4)) * theirs(model, pictures(4))).sum(axis=1)
    words = (clip.embed_texts(TEXTS) * their_texts(model, TEXTS)).sum(axis=1)
    assert min(cosines.min(), words.min()) > 0.995


def test_each_tower_is_loaded_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_model(model_folder(tmp_path))
    clip = OpenClip(openclip_config(tmp_path))
    with caplog.at_level(logging.WARNING):
        clip.embed_texts(["a cat"])
    assert clip._images is None and clip._texts is not None
    assert clip._texts[0].model.visual is None
    clip.embed_images(pictures(1))
    assert clip._images is not None and clip._images[0].model.transformer is None
    assert caplog.records == []


# Memory ----------------------------------------------------------------------------------------------------


def test_a_batch_that_does_not_fit_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_model(model_folder(tmp_path))
    tried: list[int] = []
    encode = TorchTower.images

    def limited(self: TorchTower, rows: np.ndarray) -> np.ndarray:
        tried.append(len(rows))
        if len(rows) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return encode(self, rows)

    monkeypatch.setattr(TorchTower, "images", limited)
    clip = OpenClip(openclip_config(tmp_path))
    np.testing.assert_allclose(clip.embed_images(pictures(8)), theirs(model, pictures(8)), atol=1e-5)
    assert tried == [8, 4, 2, 2, 2, 2]


# Errors ----------------------------------------------------------------------------------------------------


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    save_model(folder)
    config = {**CLIP_CONFIG, "vision_cfg": {**CLIP_CONFIG["vision_cfg"], "layers": 3}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    with pytest.raises(EngineUnavailable, match="cannot be loaded as tiny") as caught:
        OpenClip(openclip_config(tmp_path)).embed_texts(["a"])
    assert "OPENCLIP_MODEL" in caught.value.remedy


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
@pytest.mark.parametrize("damage", ["half", "pointer", "empty"])
def test_damaged_weights(tmp_path: Path, name: str, damage: str) -> None:
    folder = model_folder(tmp_path)
    save_model(folder, name=name)
    whole = (folder / name).read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    (folder / name).write_bytes({"half": whole[: len(whole) // 2], "pointer": pointer, "empty": b""}[damage])
    with pytest.raises(EngineUnavailable, match="cannot be loaded") as caught:
        OpenClip(openclip_config(tmp_path)).embed_images(pictures(1))
    assert name in caught.value.reason


def test_packages_that_do_not_fit_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a processor build of torch beside torchvision from elsewhere."""
    save_model(model_folder(tmp_path))
    broken = tmp_path / "broken" / "open_clip"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    clip = OpenClip(openclip_config(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "broken")
    monkeypatch.delitem(sys.modules, "open_clip")
    for embed in (lambda: clip.embed_texts(["a"]), lambda: clip.embed_images(pictures(1))):
        with pytest.raises(EngineUnavailable, match="open_clip cannot be imported: operator") as caught:
            embed()
        assert "belong together" in caught.value.remedy


class Evil:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    save_model(folder)
    torch.save({"state_dict": Evil(str(tmp_path / "ran"))}, folder / "evil.pt")
    config = openclip_config(tmp_path, openclip_checkpoint=folder / "evil.pt")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        OpenClip(config).embed_texts(["a"])
    assert not (tmp_path / "ran").exists()


def test_cuda_that_is_not_there_is_said(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a graphics card")
    save_model(model_folder(tmp_path))
    with pytest.raises(EngineUnavailable, match="DEVICE=cuda"):
        OpenClip(openclip_config(tmp_path, device="cuda")).embed_texts(["a"])


def test_a_picture_without_a_vector_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(model_folder(tmp_path))
    clip = OpenClip(openclip_config(tmp_path))

    def poisoned(tower: Any, prepare: Any, images: list[np.ndarray], threads: int) -> np.ndarray:
        rows = np.ones((len(images), 32), dtype=np.float32)
        rows[1] = np.nan
        return rows

    monkeypatch.setattr(openclip_module, "run_images", poisoned)
    with pytest.raises(EngineFailed, match="picture 2 of 3"):
        clip.embed_images(pictures(3))
