"""Searching real pictures with the stand-in CLIP: what it knows is found, what it does not know is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from library.models import EmbeddingSpace, Photo, PhotoEmbedding
from library.tests.factories import make_photo
from search.hybrid import search
from search.pictures import of_photo
from search.query import parse
from search.tests.conftest import SmallRegistry
from vision.config import EngineConfig
from vision.embedders.onnx_clip import OnnxClip
from vision.errors import ImageRejected
from vision.imaging.open import load_rgb

ASSETS = Path(settings.BASE_DIR).parent / "shared" / "assets"
MODEL = ASSETS / "models" / "clip-surrogate"
FOLDERS = ("coral_apache2", "skimage_bsd_cc0", "dup_pdq_bsd")

pytestmark = [
    pytest.mark.assets,
    pytest.mark.django_db,
    pytest.mark.skipif(not MODEL.is_dir(), reason=f"{MODEL} is not there"),
]


@pytest.fixture
def pictures(monkeypatch, tmp_path):
    """Every picture of the folders as a photo with its vector."""
    clip = OnnxClip(MODEL, EngineConfig(tmp_path))
    monkeypatch.setattr("library.engines.registry", lambda: SmallRegistry(clip))
    space = EmbeddingSpace.objects.create(
        kind="image", engine=clip.space.engine, model=clip.space.model, dimensions=512, status="active"
    )
    files = [file for name in FOLDERS for file in sorted((ASSETS / "photos" / name).iterdir())]
    images = {file: image for file in files if (image := _image(file)) is not None}
    photos = [make_photo(f"{number}.jpg") for number in range(len(images))]
    PhotoEmbedding.objects.bulk_create(
        PhotoEmbedding(photo=photo, space=space, vector=vector)
        for photo, vector in zip(photos, clip.embed_images(list(images.values())), strict=True)
    )
    return {photo.pk: file.name for photo, file in zip(photos, images, strict=True)}


def _image(file):
    if file.suffix not in (".jpg", ".png", ".bmp"):
        return None
    try:
        return load_rgb(file, 400)
    except ImageRejected:
        return None


def test_real_pictures_are_found_by_what_they_show(pictures, owner):
    def names(text):
        result = search(parse(text), owner, mode="semantic")
        assert result.notices == ()
        return [pictures[hit.photo_id] for hit in result.hits]

    assert set(names("cat")) == {"chelsea.png", "cat_720p.jpg"}
    assert set(names("two cats sleeping")) == {"chelsea.png", "cat_720p.jpg"}
    assert names("coffee") == ["coffee.png"]
    for unknown in ("zorblax", "qwertzuiop", "violin", "submarine", "knitting", "birthday party"):
        assert names(unknown) == [], unknown


@pytest.mark.parametrize("word", ["penguin", "boat", "sunset"])
def test_the_model_knows_words_and_not_their_misspellings(tmp_path, word):
    clip = OnnxClip(MODEL, EngineConfig(tmp_path))
    assert clip.knows_word(word)
    assert not clip.knows_word(word[:2] + word[3:] + "q")


def test_a_picture_finds_its_like(pictures, owner):
    found = {name: pk for pk, name in pictures.items()}
    photo = Photo.objects.get(pk=found["chelsea.png"])
    hits = search(parse(""), owner, picture=of_photo(photo)).hits
    assert pictures[hits[0].photo_id] == "cat_720p.jpg"
