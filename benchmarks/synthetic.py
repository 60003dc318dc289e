"""A synthetic library, written by COPY and SQL: photos with files, documents, tags, places and vectors.

Vectors are made as embeddings are spread: a common direction, themes of very different size (the weight of
theme k falls as 1/k), and within a theme a spread of ``LATENT`` independent directions, to which real
embeddings can be reduced without much loss; a little noise in all directions on top. Texts point to a theme
from another common direction, as texts of CLIP do. Everything follows from the seed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

LATENT = 48
THEMES = 3000
BATCH = 20_000

#: Copies of a row that Django made, so that every column has its default, with what is different in each.
PHOTOS = """
INSERT INTO library_photo
SELECT (jsonb_populate_record(example, jsonb_build_object(
    'id', n, 'sha256', lpad(to_hex(n), 64, '0'), 'taken_at', taken, 'taken_local', taken,
    'camera_model', 'EOS ' || (hashint4(n + 7) & 15), 'place_id', 1 + (hashint4(n + 3) & 2147483647) % 100
))).*
FROM library_photo AS example, generate_series({start}, {end}) AS n,
    LATERAL (
        SELECT timestamptz '2010-01-01 00:00Z'
            + ((hashint4(n) & 2147483647) / 2147483647.0) * interval '3652 days' AS taken
    ) AS date
WHERE example.id = 0
"""
FILES = """
INSERT INTO library_photofile
SELECT (jsonb_populate_record(example, jsonb_build_object(
    'id', n, 'photo_id', n, 'display_path', path, 'relative_path', convert_to(path, 'UTF8')
))).*
FROM library_photofile AS example, generate_series({start}, {end}) AS n,
    LATERAL (SELECT 'Folder ' || n / 500 || '/IMG_' || n || '.jpg' AS path) AS named
WHERE example.id = 0
"""
TAGS = """
INSERT INTO library_detectedobject (photo_id, tag_id, confidence)
SELECT DISTINCT ON (n, tag) n, tag, 0.5 + 0.1 * k
FROM generate_series({start}, {end}) AS n, generate_series(0, 4) AS k,
    LATERAL (
        SELECT 2 + floor(999 * power((hashint4(n * 5 + k) & 2147483647) / 2147483647.0, 3))::int AS tag
    ) AS chosen
UNION ALL
SELECT n, 1, 0.9 FROM generate_series({start}, {end}) AS n WHERE n % 10000 = 0
"""
#: Words by rank: the tags in the A fields, twenty words of text in the B fields of every third photo.
DOCUMENTS = """
INSERT INTO search_searchdocument (photo_id, document, updated_at)
SELECT
    n,
    setweight(to_tsvector('simple', tagged.words) || to_tsvector('english', tagged.words), 'A')
    || setweight(to_tsvector('simple', written.words) || to_tsvector('english', written.words), 'B')
    || setweight(to_tsvector('simple', 'folder ' || n / 500 || ' img ' || n), 'C'),
    now()
FROM generate_series({start}, {end}) AS n,
    LATERAL (
        SELECT coalesce(string_agg(tag.name, ' '), '') AS words
        FROM library_detectedobject AS found JOIN library_tag AS tag ON tag.id = found.tag_id
        WHERE found.photo_id = n
    ) AS tagged,
    LATERAL (
        SELECT coalesce(string_agg('word' || floor(20000 * power(
            (hashint4(n * 20 + k) & 2147483647) / 2147483647.0, 4))::int, ' '), '') AS words
        FROM generate_series(1, CASE WHEN n % 3 = 0 THEN 20 ELSE 0 END) AS k
    ) AS written
"""


class Space:
    """Vectors of pictures and texts; the same seed gives the same ones."""

    def __init__(self, dimensions: int, seed: int = 1) -> None:
        random = np.random.default_rng(seed)
        self.dimensions = dimensions
        self.pictures, self.texts = _units(random.standard_normal((2, dimensions)))
        self.themes = _units(random.standard_normal((THEMES, dimensions)))
        self.spread = random.standard_normal((LATENT, dimensions)) / (LATENT * dimensions) ** 0.5
        weights = 1 / np.arange(1, THEMES + 1)
        self.weights = weights / weights.sum()

    def photos(self, start: int, count: int) -> np.ndarray:
        """[count, D] float32 of the photos from ``start`` on."""
        return self._points(np.random.default_rng((2, start)), count, 0.6 * self.pictures, 1.0)

    def queries(self, count: int) -> np.ndarray:
        """[count, D] float32 of texts: about the middle of themes, from another direction."""
        return self._points(np.random.default_rng(3), count, 0.9 * self.texts, 0.5)

    def _points(
        self, random: np.random.Generator, count: int, offset: np.ndarray, spread: float
    ) -> np.ndarray:
        themes = self.themes[random.choice(THEMES, size=count, p=self.weights)]
        latent = random.standard_normal((count, LATENT)) @ self.spread
        noise = random.standard_normal((count, self.dimensions)) / self.dimensions**0.5
        return _units(offset + 0.6 * themes + spread * (0.6 * latent + 0.2 * noise)).astype(np.float32)


def _units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def fill(photos: int, space: Space) -> Any:
    """Write the library; gives its EmbeddingSpace. A tag "rare" is on every 10,000th photo."""
    from django.db import connection
    from django.utils import timezone

    from library.models import EmbeddingSpace, Photo, PhotoFile, Place, Root, Tag

    Root.objects.create(pk=1, name="bench", path=b"/nowhere")
    Place.objects.bulk_create(Place(pk=n, city=f"City {n}", country="Country") for n in range(1, 101))
    Tag.objects.all().delete()
    names = ["rare", *(f"tag{n}" for n in range(1000))]
    Tag.objects.bulk_create(Tag(pk=n, name=name) for n, name in enumerate(names, 1))
    now = timezone.now()
    Photo.objects.create(
        pk=0,
        width=4000,
        height=3000,
        format="JPEG",
        state="completed",
        camera_make="Canon",
        renditions_at=now,
    )
    PhotoFile.objects.create(
        pk=0, root_id=1, photo_id=0, relative_path=b"0", display_path="0", size=4_000_000, mtime_ns=1,
        seen_at=now,
    )  # fmt: skip
    model = EmbeddingSpace.objects.create(
        kind="image", engine="bench", model="synthetic", dimensions=space.dimensions, status="active"
    )
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for start in range(1, photos + 1, BATCH):
            end = min(start + BATCH, photos + 1) - 1
            for statement in (PHOTOS, FILES, TAGS, DOCUMENTS):
                cursor.execute(statement.format(start=start, end=end))
            _copy(cursor, model.pk, start, space.photos(start, end - start + 1))
        Photo.objects.filter(pk=0).delete()
        cursor.execute("VACUUM ANALYZE")
    return model


def _copy(cursor: Any, space_id: int, start: int, vectors: np.ndarray) -> None:
    """COPY in PostgreSQL's binary form: each field its length, then its bytes, the highest first."""
    count, dimensions = vectors.shape
    row = np.dtype(
        [
            ("fields", ">i2"), ("photo_size", ">i4"), ("photo", ">i8"), ("space_size", ">i4"),
            ("space", ">i8"), ("vector_size", ">i4"), ("dimensions", ">i2"), ("unused", ">i2"),
            ("vector", ">f4", dimensions),
        ]
    )  # fmt: skip
    rows = np.zeros(count, dtype=row)
    rows["fields"], rows["photo_size"], rows["space_size"] = 3, 8, 8
    rows["photo"], rows["space"] = np.arange(start, start + count), space_id
    rows["vector_size"], rows["dimensions"], rows["vector"] = 4 + 4 * dimensions, dimensions, vectors
    with cursor.copy(
        "COPY library_photoembedding (photo_id, space_id, vector) FROM STDIN (FORMAT binary)"
    ) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + b"\0" * 8)
        copy.write(rows.tobytes())
        copy.write(b"\xff\xff")
