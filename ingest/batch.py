"""A batch of photos on its way through the models lane, with what the steps share about it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from library.models import PhotoEmbedding
from library.storage import rendition_path
from vision.errors import ImageRejected
from vision.imaging.open import load_rgb
from vision.ports import ImageEmbedder
from vision.results import RGBImage, SpaceInfo, Vectors


class PreviewLost(Exception):  # noqa: N818 - a state of the disk
    """The preview of a photo is not on disk any more: the original has to be read again."""


class Item:
    """One photo of a batch. Its preview is decoded once, ahead of need when asked to, then let go."""

    def __init__(self, *, photo_id: int, preview: Path) -> None:
        self.photo_id = photo_id
        self._preview = preview
        self._future: Future[RGBImage] | None = None
        self._image: RGBImage | None = None

    def prefetch(self, pool: ThreadPoolExecutor) -> None:
        """Start decoding in a thread."""
        if self._future is None and self._image is None:
            self._future = pool.submit(load_rgb, self._preview)

    @property
    def image(self) -> RGBImage:
        """The preview as upright RGB. Raises PreviewLost when its file is gone or broken."""
        if self._image is None:
            try:
                self._image = self._future.result() if self._future else load_rgb(self._preview)
            except FileNotFoundError as error:
                raise PreviewLost(str(self._preview)) from error
            except ImageRejected as error:
                # Cut short by a crash of the machine: as good as none.
                self._preview.unlink(missing_ok=True)
                raise PreviewLost(f"{self._preview}: {error}") from error
            self._future = None
        return self._image

    def release(self) -> None:
        """Let go of the pixels."""
        self._image = None
        if self._future is not None:
            self._future.cancel()
            self._future = None


class ImageVectors:
    """The image vectors of a batch: stored ones are read, missing ones are computed once and shared.

    Each space has its own: another model may arrive while the batch is under way.
    """

    def __init__(self) -> None:
        self._by_space: dict[SpaceInfo, dict[int, Vectors]] = {}

    def missing(self, photo_ids: Sequence[int], embedder: ImageEmbedder) -> set[int]:
        """The photos among these that have no vector yet, stored ones counted in."""
        known = self._by_space.setdefault(embedder.space, {})
        self._read_stored(photo_ids, embedder.space)
        return {pk for pk in photo_ids if pk not in known}

    def _read_stored(self, photo_ids: Sequence[int], space: SpaceInfo) -> None:
        known = self._by_space[space]
        rows = PhotoEmbedding.objects.filter(
            photo_id__in=[pk for pk in photo_ids if pk not in known],
            space__kind="image",
            space__engine=space.engine,
            space__model=space.model,
        )
        for photo_id, vector in rows.values_list("photo_id", "vector"):
            known[photo_id] = np.asarray(vector, dtype=np.float32)

    def of(self, items: Sequence[Item], embedder: ImageEmbedder) -> Vectors:
        """float32 [len(items), D]; only pictures without a vector are looked at."""
        known = self._by_space.setdefault(embedder.space, {})
        missing = [item for item in items if item.photo_id not in known]
        if missing:
            computed = embedder.embed_images([item.image for item in missing])
            for item, vector in zip(missing, computed, strict=True):
                known[item.photo_id] = vector
        return np.stack([known[item.photo_id] for item in items])


def make_items(photos: Sequence[tuple[int, str]]) -> list[Item]:
    """Items for (photo id, sha256) pairs."""
    return [Item(photo_id=pk, preview=rendition_path(sha256, "preview")) for pk, sha256 in photos]
