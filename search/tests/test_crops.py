"""LOCAL_CROPS: the nearest photos are ranked anew, by the whole and by the best part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import CropEmbedding, EmbeddingSpace, Photo
from search import ranking
from search.hybrid import search
from search.query import parse
from search.semantics import CROP_WEIGHT
from search.tests.conftest import concept_vector

pytestmark = pytest.mark.django_db


@pytest.fixture
def crops_of(space: EmbeddingSpace) -> Callable[..., None]:
    """Give a photo five crops; each is a tuple of concepts."""

    def add(photo: Photo, *parts: tuple[str, ...], into: EmbeddingSpace = space) -> None:
        CropEmbedding.objects.bulk_create(
            CropEmbedding(
                photo=photo,
                space=into,
                position=position,
                vector=concept_vector(*part, noise=None if part else 1000 * photo.pk + position),
            )
            for position, part in enumerate((*parts, (), (), (), (), ())[:5])
        )

    return add


def hits(text: str, user: Any) -> dict[int, Any]:
    return {hit.photo_id: hit.why for hit in search(parse(text), user, mode="semantic").hits}


@pytest.fixture
def library(photo_of: Any) -> dict[str, Photo]:
    """Cats, two of them beside a dog, among other things."""
    for _ in range(12):
        photo_of("beach")
        photo_of()
    return {
        "big": photo_of("cat"),
        "small": photo_of("cat", "dog"),
        "plain": photo_of("cat", "dog"),
    }


def test_a_small_thing_rises_by_its_best_part(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any
) -> None:
    small, plain = library["small"], library["plain"]
    crops_of(small, ("dog",), ("cat",), ("car",))
    before = hits("cat", owner)
    assert list(before) == [library["big"].pk, plain.pk, small.pk]
    settings.LOCAL_CROPS = True
    after = hits("cat", owner)
    text, whole = concept_vector("cat"), concept_vector("cat", "dog")
    expected = (1 - CROP_WEIGHT) * float(text @ whole) + CROP_WEIGHT * 1.0
    assert CROP_WEIGHT == 0.3
    assert after[small.pk].similarity == pytest.approx(expected, abs=1e-5)
    assert list(after) == [library["big"].pk, small.pk, plain.pk]
    assert [why.semantic_rank for why in after.values()] == [1, 2, 3]
    assert after[library["big"].pk].strength == pytest.approx(1)


def test_a_photo_without_crops_keeps_the_similarity_of_the_whole(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any
) -> None:
    crops_of(library["small"], ("cat",))
    before = hits("cat", owner)
    settings.LOCAL_CROPS = True
    after = hits("cat", owner)
    for name in ("big", "plain"):
        pk = library[name].pk
        assert after[pk].similarity == before[pk].similarity


def test_off_crops_change_nothing(owner: Any, embedder: Any, library: Any, crops_of: Any) -> None:
    before = hits("cat", owner)
    crops_of(library["small"], ("cat",), ("cat",))
    assert hits("cat", owner) == before


def test_crops_of_another_space_do_not_count(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any, space: EmbeddingSpace
) -> None:
    other = EmbeddingSpace.objects.create(
        kind="image", engine="test", model="other", dimensions=space.dimensions, status="building"
    )
    settings.LOCAL_CROPS = True
    before = hits("cat", owner)
    crops_of(library["small"], ("cat",), into=other)
    assert hits("cat", owner) == before


def test_unrelated_parts_open_no_gate(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any
) -> None:
    """The best of five is higher by chance; the scale is measured with it, so still nothing matches."""
    for photo in Photo.objects.all():
        crops_of(photo)
    settings.LOCAL_CROPS = True
    for text in ("zorblax", "tree", "receipt"):
        assert hits(text, owner) == {}, text


def test_the_best_part_is_the_best_and_rank_is_what_python_computes(
    owner: Any, embedder: Any, photo_of: Any, crops_of: Any, settings: Any
) -> None:
    settings.LOCAL_CROPS = True
    chance = np.random.default_rng(3)
    photos = [photo_of("cat", *chance.choice(["dog", "car", "tree"], 2, replace=False)) for _ in range(20)]
    for photo in photos[::2]:
        crops_of(photo, *[("cat",)] * int(chance.integers(0, 2)), ("cat", "dog"), ("car",))
    text = concept_vector("cat")
    expected = {}
    for photo in photos:
        whole = float(text @ photo.embeddings.get().vector)
        parts = [float(text @ crop.vector) for crop in photo.crop_embeddings.all()]
        expected[photo.pk] = (1 - CROP_WEIGHT) * whole + CROP_WEIGHT * max(parts, default=whole)
    found = hits("cat", owner)
    assert {pk: why.similarity for pk, why in found.items()} == pytest.approx(expected, abs=1e-5)
    similarities = [why.similarity for why in found.values()]
    assert similarities == sorted(similarities, reverse=True)


def test_only_the_nearest_are_ranked_anew(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops_of(library["small"], ("cat",))
    settings.LOCAL_CROPS = True
    monkeypatch.setattr(ranking, "CANDIDATES", 1)
    assert set(hits("cat", owner)) == {library["big"].pk}


def test_the_number_of_queries_is_the_same(
    owner: Any, embedder: Any, library: Any, crops_of: Any, settings: Any
) -> None:
    counts = []
    for on in (False, True):
        settings.LOCAL_CROPS = on
        for photo in Photo.objects.all()[:20] if on else ():
            crops_of(photo, ("cat",))
        search(parse("cat"), owner)  # text and sample are remembered from here on
        with CaptureQueriesContext(connection) as queries:
            assert search(parse("cat"), owner).hits
        counts.append(len(queries))
    assert counts[0] == counts[1]
