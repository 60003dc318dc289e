"""The ports: what the house asks of an engine. All of them take batches and keep the order of their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from vision.results import DetectedFace, PageText, PerceptualHash, RGBImage, SpaceInfo, Tag, Vectors


@runtime_checkable
class Engine(Protocol):
    """Every engine has an identity: when it changes, results made under another identity are stale."""

    @property
    def engine_id(self) -> str:
        """Stable across processes and hosts, e.g. ``onnx_clip/ViT-B-32@1f2e3d4c``."""
        ...


@runtime_checkable
class Described(Protocol):
    """An engine that tells where it runs; found out without loading it."""

    @property
    def details(self) -> dict[str, str]:
        """``device`` (cpu, cuda …) and, where there is a choice, ``precision`` (fp32, fp16 …)."""
        ...


@runtime_checkable
class ImageEmbedder(Engine, Protocol):
    """Pictures to unit vectors."""

    @property
    def space(self) -> SpaceInfo:
        """The space the vectors belong to."""
        ...

    def embed_images(self, images: Sequence[RGBImage]) -> Vectors:
        """[N] upright RGB images to float32 [N, D], each row of unit length."""
        ...


@runtime_checkable
class TextEmbedder(Engine, Protocol):
    """Texts to unit vectors of the same space as the pictures."""

    @property
    def space(self) -> SpaceInfo:
        """The space the vectors belong to."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N] texts to float32 [N, D], each row of unit length."""
        ...


@runtime_checkable
class WordKnower(Protocol):
    """A text embedder that can tell common words from misspelt and made-up ones."""

    def knows_word(self, word: str) -> bool:
        """Whether the vocabulary it was trained with has this word as a whole."""
        ...


@runtime_checkable
class Embedder(ImageEmbedder, TextEmbedder, Protocol):
    """Pictures and texts in one space."""


@runtime_checkable
class Tagger(Engine, Protocol):
    """Pictures to words of a vocabulary."""

    def tag_images(self, images: Sequence[RGBImage]) -> list[list[Tag]]:
        """One list of tags a picture, most confident first."""
        ...


@runtime_checkable
class VectorTagger(Tagger, Protocol):
    """A tagger that can work from stored embeddings, without the picture."""

    def tag_vectors(self, vectors: Vectors) -> list[list[Tag]]:
        """float32 [N, D] image vectors of its embedder's space to one list of tags a row."""
        ...


@runtime_checkable
class TextReader(Engine, Protocol):
    """Pictures to the text that is written in them (OCR)."""

    def read(self, images: Sequence[RGBImage]) -> list[PageText]:
        """One PageText a picture; empty when there is no text."""
        ...


@runtime_checkable
class FaceAnalyzer(Engine, Protocol):
    """Pictures to faces with embeddings."""

    @property
    def space(self) -> SpaceInfo:
        """The space of the face embeddings."""
        ...

    def analyze(self, images: Sequence[RGBImage]) -> list[list[DetectedFace]]:
        """One list of faces a picture, left to right."""
        ...


@runtime_checkable
class PerceptualHasher(Engine, Protocol):
    """Pictures to perceptual hashes."""

    def hash_images(self, images: Sequence[RGBImage]) -> list[PerceptualHash]:
        """One hash a picture."""
        ...


@runtime_checkable
class Describer(Engine, Protocol):
    """Pictures to a few sentences about what is in them."""

    @property
    def batch_size(self) -> int:
        """How many pictures it works on at once here: what comes in larger numbers is split."""
        ...

    def describe(self, images: Sequence[RGBImage]) -> list[str]:
        """One description a picture, in one line; empty when the engine has nothing usable to say."""
        ...
