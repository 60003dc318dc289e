"""Fakes behind the ports of the vision floor. Their signatures equal those of the ports (a test holds it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.conf import settings

from vision.errors import EngineUnavailable
from vision.hashing import PdqHasher
from vision.ports import Describer, FaceAnalyzer, ImageEmbedder, PerceptualHasher, TextReader, VectorTagger
from vision.results import (
    Box,
    DetectedFace,
    EngineStatus,
    PageText,
    PerceptualHash,
    RGBImage,
    SpaceInfo,
    Tag,
    TextBlock,
    Vectors,
)

Hook = Callable[[Sequence[RGBImage]], None]


def _look_on(images: Sequence[RGBImage]) -> None:
    """The hook that does nothing."""


class _Fake:
    """What they share: an identity, a count of pictures looked at, and a hook to misbehave."""

    name = ""

    def __init__(self) -> None:
        self.version = "1"
        self.looked_at = 0
        self.calls = 0
        self.before: Hook = _look_on

    @property
    def engine_id(self) -> str:
        return f"fake_{self.name}/{self.version}"

    def _see(self, images: Sequence[RGBImage]) -> None:
        self.calls += 1
        self.looked_at += len(images)
        self.before(images)


class FakeEmbedder(_Fake):
    """Mean colour of the four quarters."""

    name = "embedder"

    @property
    def space(self) -> SpaceInfo:
        return SpaceInfo("fake_embedder", self.version, 12)

    def embed_images(self, images: Sequence[RGBImage]) -> Vectors:
        self._see(images)
        return np.stack([_quarters(image) for image in images])


class FakeTagger(_Fake):
    """The first word, with the first number of the vector as confidence."""

    name = "tagger"

    def __init__(self) -> None:
        super().__init__()
        self.vocabulary: Sequence[str] = ()

    @property
    def engine_id(self) -> str:
        return f"{super().engine_id}/{'+'.join(self.vocabulary)}"

    def tag_images(self, images: Sequence[RGBImage]) -> list[list[Tag]]:
        self._see(images)
        return self.tag_vectors(np.stack([_quarters(image) for image in images]))

    def tag_vectors(self, vectors: Vectors) -> list[list[Tag]]:
        self.calls += 1
        return [[Tag(self.vocabulary[0], float(abs(vector[0])))] for vector in vectors]


class FakeReader(_Fake):
    """Reads the same word in every picture."""

    name = "reader"
    text = "hello"

    def read(self, images: Sequence[RGBImage]) -> list[PageText]:
        self._see(images)
        block = TextBlock(self.text, 0.9, Box(0.1, 0.1, 0.5, 0.1))
        return [PageText((block,), "en") for _ in images]


class FakeFaces(_Fake):
    """One face in the middle of every picture."""

    name = "faces"

    @property
    def space(self) -> SpaceInfo:
        return SpaceInfo("fake_faces", self.version, 4)

    def analyze(self, images: Sequence[RGBImage]) -> list[list[DetectedFace]]:
        self._see(images)
        embedding = np.array([1, 0, 0, 0], dtype=np.float32)
        return [[DetectedFace(Box(0.4, 0.4, 0.2, 0.2), 0.9, 0.8, embedding)] for _ in images]


class FakeHasher(_Fake):
    """The real PDQ behind a hook: it is cheap."""

    name = "hasher"

    def hash_images(self, images: Sequence[RGBImage]) -> list[PerceptualHash]:
        self._see(images)
        return PdqHasher().hash_images(images)


class FakeDescriber(_Fake):
    """Writes the same sentence about every picture."""

    name = "describer"
    text = "A lighthouse stands on a rock."

    @property
    def batch_size(self) -> int:
        return 4

    def describe(self, images: Sequence[RGBImage]) -> list[str]:
        self._see(images)
        return [self.text for _ in images]


def _quarters(image: RGBImage) -> Vectors:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    parts = (image[:height, :width], image[height:, :width], image[:height, width:], image[height:, width:])
    vector = np.concatenate([part.reshape(-1, 3).mean(axis=0) for part in parts]).astype(np.float32) + 1
    return vector / np.linalg.norm(vector)


PORTS = {
    "embedder": (FakeEmbedder, ImageEmbedder),
    "tagger": (FakeTagger, VectorTagger),
    "reader": (FakeReader, TextReader),
    "faces": (FakeFaces, FaceAnalyzer),
    "hasher": (FakeHasher, PerceptualHasher),
    "describer": (FakeDescriber, Describer),
}


class Engines:
    """Stands in for ``vision.registry.Registry``. ``absent`` names the ports whose weights are not there.

    ``gone`` names former models whose files are not there any more.
    """

    def __init__(self) -> None:
        self.embedder_fake = FakeEmbedder()
        self.tagger_fake = FakeTagger()
        self.reader_fake = FakeReader()
        self.faces_fake = FakeFaces()
        self.hasher_fake = FakeHasher()
        self.describer_fake = FakeDescriber()
        self.absent: set[str] = set()
        self.gone: set[str] = set()

    def image_embedder(self) -> FakeEmbedder:
        self._need("embedder")
        return self.embedder_fake

    def text_embedder(self) -> FakeEmbedder:
        return self.image_embedder()

    def text_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> FakeEmbedder:
        if self.image_embedder().space != space and space.model in self.gone:
            raise EngineUnavailable(f"{space.engine}/{space.model} is gone.", "Put it back.")
        return self.embedder_fake

    def image_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> FakeEmbedder:
        return self.text_embedder_for(space, source)

    def embedder_source(self) -> dict[str, str]:
        return {"embedder": "fake", "version": self.embedder_fake.version}

    def tagger(self, vocabulary: Sequence[str]) -> FakeTagger:
        self._need("embedder")
        self._need("tagger")
        if not vocabulary:
            raise EngineUnavailable("The tag vocabulary is empty.", "Add tags to categories in the admin.")
        self.tagger_fake.vocabulary = list(vocabulary)
        return self.tagger_fake

    def reader(self) -> FakeReader:
        self._need("reader")
        return self.reader_fake

    def faces(self) -> FakeFaces:
        self._need("faces")
        return self.faces_fake

    def hasher(self) -> FakeHasher:
        self._need("hasher")
        return self.hasher_fake

    def describer(self) -> FakeDescriber:
        if not settings.DESCRIPTIONS:
            raise EngineUnavailable("Descriptions are switched off.", "Set DESCRIPTIONS=true.")
        self._need("describer")
        return self.describer_fake

    def engine_id(self, port: str, vocabulary: Sequence[str] | None = None) -> str | None:
        try:
            return self._engine(port, vocabulary).engine_id
        except EngineUnavailable:
            return None

    def status(self, vocabulary: Sequence[str] | None = None) -> list[EngineStatus]:
        ports = [port for port in PORTS if port != "describer" or settings.DESCRIPTIONS]
        return [self._status(port, vocabulary) for port in ports]

    def _status(self, port: str, vocabulary: Sequence[str] | None) -> EngineStatus:
        try:
            return EngineStatus(port, self._engine(port, vocabulary).engine_id, live=True)
        except EngineUnavailable as error:
            return EngineStatus(port, "", live=False, reason=error.reason, remedy=error.remedy)

    def _engine(self, port: str, vocabulary: Sequence[str] | None) -> _Fake:
        if port == "tagger":
            return self.tagger(vocabulary or ())
        return {
            "embedder": self.image_embedder,
            "reader": self.reader,
            "faces": self.faces,
            "hasher": self.hasher,
            "describer": self.describer,
        }[port]()

    def _need(self, port: str) -> None:
        if port in self.absent:
            raise EngineUnavailable(f"The weights of the {port} are not there.", "Put them there.")
