"""Photos a second of the whole models lane: previews on disk, engines, database, several workers at once.

    .venv/bin/python benchmarks/models_lane.py [--photos 512] [--workers 1 4] [--engines clip faces]
        [--device cpu|cuda] [--clip ViT-B-32] [--models FOLDER]

A library of its own with an embedded PostgreSQL; photos of 2048 pixels, every one another. Each worker is a
process that loads its engines first; the clock runs from when all are ready until the last photo is done, and
every number of workers gets photos of its own. ``--engines``: clip (OpenCLIP, and tags from its vectors),
ram_plus (tags by RAM++), faces (InsightFace), ocr (RapidOCR), pdq (always). Full-size models with random
weights are made for those that need weights; with them a picture has 2 or 3 faces.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.engine_cases import (  # noqa: E402
    RANDOM_TAG,
    Setup,
    import_open_clip,
    random_clip,
    random_faces,
    random_ram_plus,
)
from benchmarks.installation import installation  # noqa: E402
from benchmarks.previews import pictures  # noqa: E402
from vision.errors import EngineUnavailable  # noqa: E402

ENGINES = ("clip", "ram_plus", "faces", "ocr")


def make_photos(folder: Path, count: int, seed: int) -> None:
    """JPEGs of 2048 pixels that no hash takes for one another: painted ones, moved and toned at random."""
    from PIL import Image

    base = pictures(None, 8)
    folder.mkdir(parents=True)

    def save(number: int) -> None:
        random = np.random.default_rng(seed * 100_000 + number)
        picture = np.roll(base[number % len(base)], random.integers(0, 1500, 2), axis=(0, 1))
        shown = (picture * random.uniform(0.6, 1.0, 3)).astype(np.uint8)
        Image.fromarray(shown).save(folder / f"{number:05d}.jpg", quality=85)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(save, range(count)))


def prepare_models(options: argparse.Namespace) -> dict[str, str]:
    """Random models in the folder of models, and the settings that choose them."""
    setup = Setup(options.models, None, options.device, options.clip, random=True)
    chosen = {"MODEL_CACHE_DIR": str(options.models), "DEVICE": options.device, "TAGGER": "zero_shot"}
    if "clip" in options.engines:
        import_open_clip()
        random_clip(setup)
        chosen |= {"EMBEDDER": "openclip", "OPENCLIP_MODEL": f"{options.clip}/{RANDOM_TAG}"}
    if "ram_plus" in options.engines:
        from vision.taggers.ram_plus import FOLDER

        random_ram_plus(options.models / FOLDER)
        chosen |= {"TAGGER": "ram_plus"}
    if "faces" in options.engines:
        chosen |= {"FACE_ENGINE": "insightface", "FACE_MODEL": random_faces(setup)}
    else:
        chosen |= {"FACE_ENGINE": "insightface", "FACE_MODEL": "none"}
    if "ocr" not in options.engines:
        chosen |= {"OCR_MODEL_DIR": str(options.models / "none")}
    return chosen


def work(ready: Path, go: Path) -> None:
    """A worker: load what is there, say so, wait for the start, work until nothing is left."""
    import django

    django.setup()
    from importlib.util import find_spec

    if find_spec("open_clip") is not None:
        import_open_clip()
    from ingest.batch import ImageVectors
    from ingest.pipeline import steps
    from ingest.runner import ModelsLane

    class Warm:
        """A picture that is in no library."""

        photo_id = -1
        image = pictures(None, 1)[0]

    for step in steps()[:-1]:
        if step.engine_id() is not None:
            step.compute([Warm()], ImageVectors())  # type: ignore[list-item]
    ready.touch()
    while not go.exists():
        time.sleep(0.005)
    done = ModelsLane(check_stale=False).run()
    print(f"{done} photos")


def measure(workers: int, scratch: Path) -> float:
    """Seconds that so many workers need for what waits."""
    go = scratch / f"go-{workers}"
    ready = [scratch / f"ready-{workers}-{number}" for number in range(workers)]
    running = [
        subprocess.Popen([sys.executable, __file__, "--work", str(path), str(go)], stdout=subprocess.DEVNULL)
        for path in ready
    ]
    while not all(path.exists() for path in ready):
        if any(process.poll() is not None for process in running):
            raise SystemExit("A worker ended before it had begun; its message is above.")
        time.sleep(0.05)
    go.touch()
    started = time.perf_counter()
    for process in running:
        process.wait()
    return time.perf_counter() - started


def run(options: argparse.Namespace, folder: Path, scratch: Path) -> dict[str, object]:
    """Each number of workers on photos of its own."""
    from django.db import connection

    from ingest.files_lane import FilesLane
    from ingest.models import StepRun
    from ingest.roots import register_folder, scan
    from library.models import Photo

    rates: dict[str, float] = {}
    for turn, workers in enumerate(options.workers):
        make_photos(folder / str(turn), options.photos, turn)
        scan(register_folder(str(folder / str(turn))))
        FilesLane(threads=os.cpu_count()).run()
        waiting = Photo.objects.filter(state__in=Photo.MODELS_LANE_STATES).count()
        connection.close()
        rates[str(workers)] = round(waiting / measure(workers, scratch), 2)
    steps = StepRun.objects.exclude(step=StepRun.Step.PREPROCESSING)
    skipped = sorted(set(steps.filter(status=StepRun.Status.SKIPPED).values_list("step", flat=True)))
    failed = steps.filter(status=StepRun.Status.FAILED).count()
    return {"photos_per_second_by_workers": rates, "skipped": skipped, "failed": failed}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=512, help="for each number of workers")
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["clip", "faces"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--clip", default="ViT-B-32", help="an OpenCLIP model name")
    parser.add_argument("--models", type=Path, help="keep the random models here")
    parser.add_argument("--work", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return 0
    with tempfile.TemporaryDirectory(prefix="heirloom-bench-") as name:
        scratch = Path(name)
        options.models = options.models or scratch / "models"
        try:
            os.environ |= prepare_models(options)
        except EngineUnavailable as error:
            print(f"Left out: {error}")
            return 0
        with installation() as temporary:
            result = run(options, temporary / "photos", scratch)
    print(json.dumps({"engines": options.engines, "clip": options.clip, **result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
