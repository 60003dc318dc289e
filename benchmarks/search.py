"""How fast a search is in a large library, how much of the nearest it finds, and how good its order is.

    .venv/bin/python benchmarks/search.py [--photos 100000] [--dimensions 512] [--keep FOLDER] [--json]
    .venv/bin/python benchmarks/search.py --pictures FOLDER --judgements FILE.csv [--json]

The first form fills a temporary library (``benchmarks/synthetic.py``), builds the vector index as
``reindex_vectors`` does, and searches as the owner: words and meaning together, the page of results with its
reasons, under no filter and under filters that leave half, a hundredth and a ten-thousandth. Texts come with
their vectors, so the times are without the text encoder; ``--clip FOLDER`` (an ONNX export) adds it. Recall
is how many of the 20 nearest photos are among the first 20 by meaning. Wall times of a busy machine are upper
bounds; the time of the processor is that of this process and of its database connection. Filling and indexing
a million takes most of an hour; ``--keep FOLDER`` leaves the library there, and the next run with the same
folder only measures.

The second form takes pictures and judgements (a line each: query, name of a file that answers it, with an
optional grade 1..3) and compares the order by words, by meaning and by both: nDCG@10, the mean over queries.
Pictures are tagged and read by the engines of the settings; set CLIP_ONNX_DIR.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import time
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.installation import installation
from benchmarks.synthetic import Space, fill

PAGE = 48
NEAREST = 20
PARTS = ("recall", "speed")
#: A filter, and the share of photos it leaves.
FILTERS = {"none": "", "50 %": "date:2010..2014", "1 %": 'place:"City 7"', "0.01 %": "tag:rare"}


class Embedder:
    """Gives the text "q17" the vector of query 17, and the references of the scale vectors of their own."""

    engine_id = "bench"

    def __init__(self, queries: np.ndarray, references: np.ndarray) -> None:
        self.queries, self.references = queries, references

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        if len(texts) > 1:
            return self.references[: len(texts)]
        return self.queries[[int(texts[0].rpartition("q")[2])]]

    def text_embedder_for(self, space: Any, source: Any) -> Embedder:
        return self


class Clock:
    """Milliseconds on the wall and of the processor, of this process and its database connection."""

    def __init__(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self._statistics = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def _used(self) -> float:
        return time.process_time() * 1e3 + int(self._statistics.read_text().split()[0]) / 1e6

    def __enter__(self) -> None:
        self._started = time.perf_counter(), self._used()

    def __exit__(self, *error: object) -> None:
        started, used = self._started
        self.wall.append((time.perf_counter() - started) * 1e3)
        self.cpu.append(self._used() - used)

    def report(self) -> dict[str, float]:
        """Median and 95th percentile."""
        return {
            f"{name}_{percent}": round(float(np.percentile(values, percent)), 1)
            for name, values in (("wall", self.wall), ("cpu", self.cpu))
            for percent in (50, 95)
        }


def build() -> dict[str, Any]:
    """The vector index, as the command builds it."""
    from django.db import connection

    from search.vector_indexes import reindex

    started = time.perf_counter()
    (report,) = reindex()
    seconds = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_relation_size(indexrelid)), 0) FROM pg_stat_user_indexes "
            "WHERE indexrelname LIKE 'photo_embedding_%hnsw%'"
        )
        size = int(cursor.fetchone()[0])
    return {"action": report.action, "seconds": round(seconds), "megabytes": round(size / 1e6)}


def recall(space: Space, photos: int, rounds: int) -> dict[str, Any]:
    """By filter: the share of the 20 nearest that are found by meaning, mean and worst, and by which way."""
    from django.contrib.auth import get_user_model

    from search.filters import eligible
    from search.query import parse
    from search.ranking import Ranking, chosen, ranked
    from search.semantics import Meaning, Scale

    owner = get_user_model()(is_superuser=True)
    everything = np.concatenate([space.photos(start, count) for start, count in batches(photos)])
    queries = space.queries(rounds)
    similarities = queries @ everything.T
    del everything
    found: dict[str, Any] = {}
    for name, text in FILTERS.items():
        allowed = eligible(parse(text), owner).photos
        keys = np.fromiter(allowed.values_list("pk", flat=True), dtype=np.int64) - 1
        shares, way = [], ""
        for number, vector in enumerate(queries):
            order = keys[np.argsort(-similarities[number, keys], kind="stable")[:NEAREST]] + 1
            # A scale that lets everything through: the order alone is looked at.
            meaning = Meaning(_space_id(), space.dimensions, vector, Scale(-1.0, 0.01))
            ranking = chosen(Ranking(allowed, None, meaning))
            way = "index" if ranking.approximate else "exact"
            hits = ranked(ranking, limit=NEAREST, offset=0).hits
            shares.append(len({hit.photo_id for hit in hits} & set(order.tolist())) / len(order))
        found[name] = {
            "photos": len(keys), "way": way, "recall": round(float(np.mean(shares)), 3), "worst": min(shares)
        }  # fmt: skip
    return found


def batches(photos: int) -> list[tuple[int, int]]:
    """Start and count, as ``fill`` makes them."""
    from benchmarks.synthetic import BATCH

    return [(start, min(BATCH, photos + 1 - start)) for start in range(1, photos + 1, BATCH)]


def _space_id() -> int:
    from library.models import EmbeddingSpace

    return EmbeddingSpace.objects.get().pk


def speed(space: Space, rounds: int) -> dict[str, Any]:
    """By filter and mode: how long a page of results takes, reasons included."""
    from unittest.mock import patch

    from django.contrib.auth import get_user_model

    from search import hybrid
    from search.query import parse

    owner = get_user_model()(is_superuser=True)
    # Other searches come first, untimed: a server that was just started has nothing of the library in memory.
    warming = rounds
    embedder = Embedder(space.queries(rounds + warming), Space(space.dimensions).queries(64)[-24:])
    words = np.random.default_rng(4).integers(0, 400, rounds + warming)
    measured: dict[str, Any] = {}
    with patch("library.engines.registry", lambda: embedder):
        for name, text in FILTERS.items():
            for mode in ("hybrid", "semantic", "keyword"):
                clock, total = Clock(), 0
                for number in [*range(rounds, rounds + warming), *range(rounds)]:
                    # The word is one that photos have; the number is how the embedder knows the vector.
                    asked = f"tag{words[number]}" if mode == "keyword" else f"tag{words[number]} or q{number}"
                    query = parse(f"{asked} {text}")
                    with clock if number < rounds else nullcontext():
                        found = hybrid.search(query, owner, mode=mode, limit=PAGE).total
                    total += found if number < rounds else 0
                measured[f"{name}, {mode}"] = clock.report() | {"hits": round(total / rounds, 1)}
    return measured


def encoder(folder: Path, rounds: int) -> dict[str, float]:
    """How long a text takes that was not asked before."""
    from library.engines import engine_config
    from vision.embedders.onnx_clip import OnnxClip

    clip = OnnxClip(folder, engine_config())
    clip.embed_texts(["warm up"])
    clock = Clock()
    for number in range(rounds):
        with clock:
            clip.embed_texts([f"photo {number} of a dog on a beach at sunset"])
    return clock.report()


def large(options: argparse.Namespace) -> dict[str, Any]:
    """Fill, build, measure."""
    from library.models import Photo

    space = Space(options.dimensions)
    started = time.perf_counter()
    if Photo.objects.count() != options.photos:
        fill(options.photos, space)
    result: dict[str, Any] = {
        "photos": options.photos,
        "dimensions": options.dimensions,
        "fill_seconds": round(time.perf_counter() - started),
        "index": build(),
    }
    print(json.dumps(result), file=sys.stderr, flush=True)
    if "recall" in options.parts:
        result["recall"] = recall(space, options.photos, options.rounds)
        print(json.dumps(result["recall"]), file=sys.stderr, flush=True)
    if "speed" in options.parts:
        result["milliseconds"] = speed(space, options.rounds)
    if options.clip:
        result["text_encoder_milliseconds"] = encoder(options.clip, options.rounds)
    return result


def judged(options: argparse.Namespace) -> dict[str, Any]:
    """nDCG@10 by mode (Järvelin, Kekäläinen 2002) on pictures with judgements."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from library.models import PhotoFile
    from search import hybrid
    from search.query import parse
    from search.results import MODES

    call_command("quickstart", str(options.pictures), "--no-serve", "--json", stdout=sys.stderr)
    owner = get_user_model()(is_superuser=True)
    names: dict[int, set[str]] = defaultdict(set)
    for photo, path in PhotoFile.objects.values_list("photo", "display_path"):
        names[photo].add(Path(path).name)
    grades = judgements(options.judgements)
    scores: dict[str, list[float]] = defaultdict(list)
    by_query: dict[str, dict[str, Any]] = defaultdict(dict)
    for query, wanted in grades.items():
        for mode in MODES:
            hits = hybrid.search(parse(query), owner, mode=mode, limit=10).hits
            found = [max(wanted.get(name, 0) for name in names[hit.photo_id]) for hit in hits]
            score = gain(found) / gain(sorted(wanted.values(), reverse=True)[:10])
            scores[mode].append(score)
            by_query[query][mode] = round(score, 3)
            by_query[query]["first"] = sorted(min(names[hit.photo_id]) for hit in hits[:3])
    means = {mode: round(float(np.mean(scores[mode])), 4) for mode in MODES}
    return {"queries": len(grades), "photos": len(names), "ndcg_at_10": means, "by_query": by_query}


def judgements(file: Path) -> dict[str, dict[str, int]]:
    """By query: names of files and how well they answer it."""
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines):
            if len(row) >= 2 and row[0] != "query":
                grades[row[0]][row[1]] = int(row[2]) if len(row) > 2 and row[2] else 1
    return grades


def gain(grades: list[int]) -> float:
    """Discounted cumulative gain."""
    return sum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what is measured")
    parser.add_argument("--clip", type=Path, help="folder of an ONNX CLIP, to time its text encoder")
    parser.add_argument("--pictures", type=Path, help="folder of pictures for the judgements")
    parser.add_argument("--judgements", type=Path, help="CSV: query, file name, grade 1..3")
    parser.add_argument("--keep", type=Path, help="keep the large library in this folder, and use it again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with installation(keep=options.keep):
        result = judged(options) if options.judgements else large(options)
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))


if __name__ == "__main__":
    main()
