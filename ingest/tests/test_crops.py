"""LOCAL_CROPS: the embeddings step also stores vectors of five parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.models import StepRun
from ingest.switching import promote_complete
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, fail_on, states, steps_of
from library.models import CropEmbedding, EmbeddingSpace, Photo, PhotoEmbedding
from library.spaces import space_for
from vision.errors import EngineFailed

pytestmark = pytest.mark.django_db

MODEL_STEPS = ["objects", "embeddings", "ocr", "faces", "hash", "duplicates"]


@pytest.fixture
def photos(album: Album, engines: Engines) -> list[Photo]:
    """Three photos, processed without crops."""
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.take_in()
    return [album.photo(f"{seed}.jpg") for seed in range(3)]


def positions(photo: Photo) -> list[int]:
    return list(photo.crop_embeddings.order_by("position").values_list("position", flat=True))


def test_off_there_are_none(photos: list[Photo]) -> None:
    assert not CropEmbedding.objects.exists()


def test_on_from_the_start_every_photo_has_five(album: Album, engines: Engines, settings: Any) -> None:
    settings.LOCAL_CROPS = True
    album.put("a.jpg", 1)
    album.take_in()
    photo = album.photo("a.jpg")
    assert positions(photo) == [0, 1, 2, 3, 4]
    assert {len(crop.vector) for crop in photo.crop_embeddings.all()} == {12}
    assert engines.embedder_fake.looked_at == 6
    assert StepRun.objects.get(photo=photo, step="embeddings").engine == "fake_embedder/1 +crops"


def test_switched_on_exactly_the_embeddings_run_and_stored_vectors_stay(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    before = [attempts_of(photo) for photo in photos]
    stored = list(PhotoEmbedding.objects.values_list("pk", "photo"))
    settings.LOCAL_CROPS = True
    album.process()
    assert engines.embedder_fake.looked_at == 3 + 3 * 5
    assert [attempts_of(photo) for photo in photos] == [tries | {"embeddings": 2} for tries in before]
    assert list(PhotoEmbedding.objects.values_list("pk", "photo")) == stored
    assert [positions(photo) for photo in photos] == [[0, 1, 2, 3, 4]] * 3
    album.process()
    assert engines.embedder_fake.looked_at == 3 + 3 * 5


def test_switched_off_they_are_kept_and_nothing_is_stale(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    settings.LOCAL_CROPS = True
    album.process()
    before = [attempts_of(photo) for photo in photos]
    settings.LOCAL_CROPS = False
    album.process()
    assert [attempts_of(photo) for photo in photos] == before
    assert CropEmbedding.objects.count() == 15
    settings.LOCAL_CROPS = True
    album.process()
    assert [attempts_of(photo) for photo in photos] == before


def test_only_missing_crops_are_computed(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    settings.LOCAL_CROPS = True
    album.process()
    seen = engines.embedder_fake.looked_at
    CropEmbedding.objects.filter(photo=photos[1], position=3).delete()
    StepRun.objects.filter(step="embeddings").update(status=StepRun.Status.PENDING)
    album.process()
    assert engines.embedder_fake.looked_at == seen + 5
    assert positions(photos[1]) == [0, 1, 2, 3, 4]


def test_another_model_gets_crops_in_its_own_space(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    settings.LOCAL_CROPS = True
    album.process()
    engines.embedder_fake.version = "2"
    album.process()
    assert set(CropEmbedding.objects.values_list("space__model", flat=True)) == {"1", "2"}
    assert CropEmbedding.objects.count() == 30


def test_a_space_takes_over_without_crops(photos: list[Photo], engines: Engines, settings: Any) -> None:
    settings.LOCAL_CROPS = True
    engines.embedder_fake.version = "next"
    new = space_for(EmbeddingSpace.Kind.IMAGE, engines.embedder_fake.space)
    PhotoEmbedding.objects.bulk_create(
        PhotoEmbedding(photo=photo, space=new, vector=np.eye(12, dtype=np.float32)[0]) for photo in photos
    )
    promote_complete()
    assert EmbeddingSpace.objects.active("image") == new


def test_a_photo_the_new_engine_fails_on_holds_nothing_up(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    """The ledger names the engine with its extra."""
    settings.LOCAL_CROPS = True
    engines.embedder_fake.version = "2"
    engines.embedder_fake.before = fail_on(photos[0], EngineFailed("bad luck"))
    album.process()
    assert steps_of(photos[0])["embeddings"] == "failed"
    active = EmbeddingSpace.objects.active("image")
    assert active is not None
    assert active.model == "2"


def test_a_lost_preview_is_made_again_for_crops(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    shutil.rmtree(Path(settings.THUMBNAIL_DIR) / "preview")
    settings.LOCAL_CROPS = True
    album.process()
    assert set(states().values()) == {Photo.State.COMPLETED}
    assert CropEmbedding.objects.count() == 15


def test_crops_are_about_the_bytes_they_were_made_from(
    album: Album, photos: list[Photo], engines: Engines, settings: Any
) -> None:
    settings.LOCAL_CROPS = True
    album.process()
    before = dict(photos[0].crop_embeddings.values_list("position", "vector"))
    album.put("0.jpg", 77)
    album.take_in()
    after = dict(album.photo("0.jpg").crop_embeddings.values_list("position", "vector"))
    assert after.keys() == before.keys()
    assert all(not np.allclose(after[position], before[position]) for position in before)


def test_with_a_real_model(
    album: Album, real_registry: Callable[[], Any], clip_folder: Path, settings: Any
) -> None:
    settings.CLIP_ONNX_DIR = clip_folder
    settings.LOCAL_CROPS = True
    album.put("a.jpg", 1)
    album.take_in()
    photo = album.photo("a.jpg")
    assert steps_of(photo)["embeddings"] == "done"
    vectors = np.stack([crop.vector for crop in photo.crop_embeddings.order_by("position")])
    assert vectors.shape == (5, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert len({vector.tobytes() for vector in vectors}) == 5
