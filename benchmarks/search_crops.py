"""What ranking by parts (LOCAL_CROPS) adds to a search by meaning.

    .venv/bin/python benchmarks/search_crops.py [--photos 20000] [--dimensions 512] [--rounds 30] [--json]

Fills a temporary library with random unit vectors, five crops a photo, and runs the ranking statement as the
owner, in turns without and with crops: exact search, and with the HNSW index where there are photos enough.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.installation import installation  # noqa: E402 - the path comes first

BATCH = 1000


def units(random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """Random unit vectors around a common direction, as embeddings are."""
    vectors = random.standard_normal((count, dimensions)).astype(np.float32) / dimensions**0.5
    vectors[:, 0] += 0.5
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(photos: int, dimensions: int) -> Any:
    """Photos with their vectors and those of five crops, in an active space."""
    from django.db import connection
    from django.utils import timezone

    from library.models import CropEmbedding, EmbeddingSpace, Photo, PhotoEmbedding, PhotoFile, Root

    random = np.random.default_rng(1)
    root = Root.objects.create(name="bench", path=b"/nowhere")
    space = EmbeddingSpace.objects.create(
        kind="image", engine="bench", model="random", dimensions=dimensions, status="active"
    )
    now = timezone.now()
    for start in range(0, photos, BATCH):
        count = min(BATCH, photos - start)
        made = Photo.objects.bulk_create(
            Photo(sha256=f"{start + n:064x}", state="completed", width=4, height=3, taken_local=now)
            for n in range(count)
        )
        PhotoFile.objects.bulk_create(
            PhotoFile(
                root=root, photo=photo, relative_path=b"%d" % photo.pk, display_path=str(photo.pk), size=1,
                mtime_ns=1, seen_at=now,
            )
            for photo in made
        )  # fmt: skip
        PhotoEmbedding.objects.bulk_create(
            PhotoEmbedding(photo=photo, space=space, vector=vector)
            for photo, vector in zip(made, units(random, count, dimensions), strict=True)
        )
        parts = units(random, count * 5, dimensions)
        CropEmbedding.objects.bulk_create(
            CropEmbedding(photo=made[n // 5], space=space, position=n % 5, vector=vector)
            for n, vector in enumerate(parts)
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return space


def measure(space: Any, rounds: int, *, approximate: bool) -> dict[str, float]:
    """Milliseconds of the ranking statement, median over the rounds; without and with crops in turns."""
    from library.models import Photo
    from search.ranking import Ranking, ranked
    from search.semantics import Meaning, Scale

    random = np.random.default_rng(2)
    photos = Photo.objects.filter(duplicate_of=None, missing_since=None)
    count = photos.count()
    took: dict[bool, list[float]] = {False: [], True: []}
    for number in range(rounds + 2):
        vector = units(random, 1, space.dimensions)[0]
        for crops in (False, True):
            # A scale that lets everything through: the ranking does all its work.
            meaning = Meaning(space.pk, space.dimensions, vector, Scale(-1.0, 0.01), crops=crops)
            wanted = Ranking(photos, None, meaning, estimate=count, indexed=count if approximate else None)
            started = time.perf_counter()
            hits = ranked(wanted, limit=50, offset=0).hits
            elapsed = 1000 * (time.perf_counter() - started)
            assert len(hits) == min(50, count)
            if number >= 2:
                took[crops].append(elapsed)
    without, with_crops = (statistics.median(took[crops]) for crops in (False, True))
    return {
        "without_milliseconds": round(without, 1),
        "with_milliseconds": round(with_crops, 1),
        "with_95th_milliseconds": round(float(np.percentile(took[True], 95)), 1),
        "added_milliseconds": round(with_crops - without, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with installation():
        from search import vector_indexes

        space = fill(options.photos, options.dimensions)
        result = {"exact": measure(space, options.rounds, approximate=False)}
        vector_indexes.reindex()
        if vector_indexes.is_indexed(space.pk):
            result["index"] = measure(space, options.rounds, approximate=True)
    if options.json:
        print(json.dumps({"photos": options.photos, "dimensions": options.dimensions, **result}, indent=2))
        return
    print(f"{options.photos} photos, {options.dimensions} dimensions")
    for kind, row in result.items():
        print(f"  {kind}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
