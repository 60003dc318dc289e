"""What the pipeline costs over the bare work, side by side in one run.

    .venv/bin/python benchmarks/ingest.py [--photos 48] [--folder FOLDER] [--json]

Files lane: photos a CPU-second against decoding, scaling and encoding the same files with the same libraries.
Models lane: the same against calling the engines alone on the same previews (decoding them counted in).
CPU-seconds are those of this process: PostgreSQL's own are told apart. Without a folder it makes 12-megapixel
JPEGs; everything it writes goes to a temporary folder. Engines whose weights are missing are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.installation import installation  # noqa: E402 - the path comes first

PREVIEW, THUMBNAIL = 2048, 400
ROUNDS = 6
#: CPU-seconds of the bare work and of the lane, and seconds on the clock of the lane.
Costs = tuple[float, float, float]


def make_photos(folder: Path, count: int) -> None:
    """12-megapixel JPEGs of about 3 MB with structure at every scale, each different, some with text."""
    from PIL import Image, ImageDraw, ImageFont

    random = np.random.default_rng(1)
    for number in range(count):
        image = Image.new("RGB", (4032, 3024))
        for size in (4, 16, 64, 256):
            noise = random.integers(0, 256, (size * 3, size * 4, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC)
            image = Image.blend(image, layer, 0.45)
        if number % 4 == 0:
            drawing = ImageDraw.Draw(image)
            drawing.rectangle((400, 1000, 3600, 1700), fill="white")
            drawing.text((500, 1100), f"RECEIPT {number}", fill="black", font=ImageFont.load_default(400))
        part = folder / f"{number * ROUNDS // count}"
        part.mkdir(exist_ok=True)
        image.save(part / f"{number:04d}.jpg", quality=88)


def bare_files(paths: Sequence[Path]) -> None:
    """Decode, scale twice, encode twice, with the libraries the lane has: what cannot be saved."""
    from PIL import Image

    from vision.imaging.jpeg import shrink_jpeg
    from vision.imaging.modes import fit

    for path in paths:
        data = path.read_bytes()
        with Image.open(BytesIO(data)) as image:
            target = fit(*image.size, PREVIEW)
            preview = shrink_jpeg(data, image, target)
            if preview is None:
                preview = image.convert("RGB").resize(target, Image.Resampling.HAMMING, reducing_gap=2.0)
        size = fit(*preview.size, THUMBNAIL)
        thumbnail = preview.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
        preview.save(BytesIO(), "JPEG", quality=85)
        thumbnail.save(BytesIO(), "JPEG", quality=80)


def bare_engines(previews: Sequence[Path]) -> None:
    """Each live engine on each preview, nothing else."""
    from library.engines import registry
    from vision.imaging.open import load_rgb

    engines = registry()
    live = {status.port for status in engines.status() if status.live}
    for path in previews:
        image = [load_rgb(path)]
        if "embedder" in live:
            engines.image_embedder().embed_images(image)
        engines.reader().read(image)
        engines.faces().analyze(image)
        engines.hasher().hash_images(image)


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """CPU-seconds of this process (all threads) and seconds on the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - clock


def measure(folder: Path) -> dict[str, Any]:
    """Run both lanes folder by folder, each between two runs of its bare work.

    These machines change their speed within seconds, so many short comparisons say more than one long one:
    the overhead is that of all rounds together, with the lowest and the highest of a round beside it. The
    first round warms up and does not count when there are others.
    """
    from ingest.files_lane import FilesLane
    from ingest.roots import register_folder, scan
    from ingest.runner import ModelsLane
    from library.models import Photo
    from library.storage import rendition_path

    register_folder(str(folder))
    rounds: list[tuple[int, Costs, Costs]] = []
    for part in sorted(path for path in folder.iterdir() if path.is_dir()) or [folder]:
        scan(register_folder(str(part)))
        paths = sorted(part.rglob("*.jp*g"))
        files = between(partial(bare_files, paths), FilesLane(threads=1).run)
        waiting = Photo.objects.filter(state=Photo.State.PROCESSING_OBJECTS).values_list("sha256", flat=True)
        previews = [rendition_path(sha256 or "", "preview") for sha256 in waiting]
        models = between(partial(bare_engines, previews), ModelsLane().run)
        rounds.append((len(paths), files, models))
    counted = rounds[1:] or rounds
    return {
        "photos": sum(count for count, _, _ in counted),
        "files_lane": compare([(count, files) for count, files, _ in counted]),
        "models_lane": compare([(count, models) for count, _, models in counted]),
    }


def between(bare: Callable[[], object], lane: Callable[[], object]) -> Costs:
    """CPU-seconds of the bare work (mean of a run before and one after) and of the lane, and its clock."""
    first, _ = cost(bare)
    own, clock = cost(lane)
    second, _ = cost(bare)
    return (first + second) / 2, own, clock


def compare(rounds: Sequence[tuple[int, Costs]]) -> dict[str, float]:
    """Rates over all rounds, and the overhead in percent."""
    count = sum(photos for photos, _ in rounds)
    bare, lane, clock = (sum(costs[place] for _, costs in rounds) for place in range(3))
    each = [100 * (own / plain - 1) for _, (plain, own, _) in rounds]
    return {
        "bare_photos_per_cpu_second": round(count / bare, 2),
        "lane_photos_per_cpu_second": round(count / lane, 2),
        "overhead_percent": round(100 * (lane / bare - 1), 1),
        "lowest_round": round(min(each), 1),
        "highest_round": round(max(each), 1),
        "lane_photos_per_second": round(count / clock, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=48, help="how many pictures to make")
    parser.add_argument("--folder", type=Path, help="measure on the JPEGs of this folder instead")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with installation() as temporary:
        folder = options.folder
        if folder is None:
            folder = temporary / "photos"
            folder.mkdir()
            make_photos(folder, options.photos)
        result = measure(folder.resolve())
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result.pop('photos')} photos")
    for lane, row in result.items():
        print(f"  {lane}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
