"""How fast the pipeline takes in a library, and whether it stays so when the library is large.

    .venv/bin/python benchmarks/pipeline.py [decoders] [lane] [rescan] [claim] [memory] [--photos 2000]

decoders  A 12-megapixel JPEG to its preview: Pillow, libvips, and simplejpeg when it is installed.
lane      The files lane against decoding, scaling and encoding the same files with the same libraries alone,
          and against the same with Pillow: two threads each, in rounds, side by side.
rescan    Scanning 100,000 files (--files) of which none has changed.
claim     Taking a batch from 1,000,000 photos (--rows).
memory    Resident memory of a worker while the files lane reads 10,000 small photos (--small).

Without a name everything is measured. CPU-seconds are those of this process, all threads; PostgreSQL's own
are apart. The pictures are made round by round and deleted again, in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.ingest import PREVIEW, THUMBNAIL, bare_files, cost  # noqa: E402
from benchmarks.installation import installation  # noqa: E402

SIZE = (4032, 3024)
THREADS = 2
BATCH = 32


def make_pictures(folder: Path, count: int, *, seed: int) -> list[Path]:
    """12-megapixel JPEGs of 2 to 5 MB: cuts of large pictures, turned, of several qualities."""
    from PIL import Image

    folder.mkdir(parents=True)
    dice = np.random.default_rng(seed)
    paths = []
    base = Image.new("RGB", SIZE)
    for number in range(count):
        if number % 20 == 0:
            base = _large_picture(dice)
        left, top = (int(dice.integers(0, base.size[k] - SIZE[k])) for k in range(2))
        picture = base.crop((left, top, left + SIZE[0], top + SIZE[1]))
        if dice.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        path = folder / f"{seed:03d}-{number:04d}.jpg"
        picture.save(path, quality=int(dice.integers(80, 93)))
        paths.append(path)
    return paths


def _large_picture(dice: np.random.Generator) -> Any:
    from PIL import Image

    image = Image.new("RGB", (SIZE[0] + 400, SIZE[1] + 300))
    for size in (4, 16, 64, 256):
        noise = dice.integers(0, 256, (size * 3, size * 4, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC)
        image = Image.blend(image, layer, 0.45)
    return image


# --- Decoders -----------------------------------------------------------------------------------------------


def decoders(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """CPU-milliseconds a picture, from bytes in memory to a preview in memory; the lowest of five runs."""
    found = {"Pillow": _by_pillow, "libvips": _by_libvips, "simplejpeg, scaled by Pillow": _by_simplejpeg}
    data = [path.read_bytes() for path in make_pictures(temporary / "decoders", 8, seed=900)]
    reference = [np.asarray(_by_pillow(one)).astype(np.int16) for one in data]
    rows: dict[str, Any] = {}
    for name, decode in found.items():
        try:
            pictures = [decode(one) for one in data]
        except ImportError:
            rows[name] = "not installed"
            continue
        apart = [
            np.abs(np.asarray(picture).astype(np.int16) - known)
            for picture, known in zip(pictures, reference, strict=True)
        ]
        lowest = min(cost(lambda decode=decode: [decode(one) for one in data])[0] for _ in range(5))
        rows[name] = {
            "cpu_milliseconds": round(1000 * lowest / len(data), 1),
            "mean_difference_of_255": round(float(np.mean([one.mean() for one in apart])), 2),
        }
    return rows


def _by_pillow(data: bytes) -> Any:
    from PIL import Image

    with Image.open(BytesIO(data)) as image:
        image.draft("RGB", (PREVIEW, PREVIEW * SIZE[1] // SIZE[0]))
        return _scaled(image)


def _by_libvips(data: bytes) -> Any:
    from PIL import Image

    from vision.imaging.jpeg import shrink_jpeg

    with Image.open(BytesIO(data)) as header:
        return shrink_jpeg(data, header, (PREVIEW, PREVIEW * SIZE[1] // SIZE[0]))


def _by_simplejpeg(data: bytes) -> Any:
    import simplejpeg
    from PIL import Image

    height = PREVIEW * SIZE[1] // SIZE[0]
    return _scaled(
        Image.fromarray(
            simplejpeg.decode_jpeg(data, "RGB", min_width=PREVIEW, min_height=height, min_factor=1)
        )
    )


def _scaled(image: Any) -> Any:
    from PIL import Image

    size = (PREVIEW, PREVIEW * SIZE[1] // SIZE[0])
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)


# --- The files lane -----------------------------------------------------------------------------------------


def lane(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Rounds of --round photos: bare work, the lane, bare work again; the first round warms up."""
    from ingest.files_lane import FilesLane
    from ingest.roots import register_folder, scan
    from library.models import Photo

    rounds: list[dict[str, float]] = []
    for number in range(max(2, options.photos // options.round)):
        folder = temporary / "lane" / f"{number}"
        paths = make_pictures(folder, options.round, seed=number)
        scan(register_folder(str(folder)))
        first = cost(lambda paths=paths: _with_threads(_bare, paths))
        pillow = cost(lambda paths=paths: _with_threads(_bare_pillow, paths))
        own = cost(FilesLane(threads=THREADS).run)
        second = cost(lambda paths=paths: _with_threads(_bare, paths))
        bare = [(first[k] + second[k]) / 2 for k in range(2)]
        rounds.append(
            {"bare": bare[0], "bare_clock": bare[1], "pillow": pillow[0], "lane": own[0], "clock": own[1]}
        )
        shutil.rmtree(folder)
        print(f"round {number}: {100 * (own[0] / bare[0] - 1):.1f} % over the bare work", file=sys.stderr)
    wrong = Photo.objects.exclude(state=Photo.State.PROCESSING_OBJECTS).count()
    if wrong:
        raise SystemExit(f"{wrong} photos were not read")
    return _lane_figures(rounds[1:], options.round)


def _lane_figures(rounds: Sequence[dict[str, float]], photos: int) -> dict[str, Any]:
    sums = {name: sum(one[name] for one in rounds) for name in rounds[0]}
    count = photos * len(rounds)
    each = [100 * (one["lane"] / one["bare"] - 1) for one in rounds]
    return {
        "photos": count,
        "bare_cpu_milliseconds": round(1000 * sums["bare"] / count, 1),
        "bare_with_pillow_cpu_milliseconds": round(1000 * sums["pillow"] / count, 1),
        "lane_cpu_milliseconds": round(1000 * sums["lane"] / count, 1),
        "overhead_percent": round(100 * (sums["lane"] / sums["bare"] - 1), 1),
        "lowest_round": round(min(each), 1),
        "highest_round": round(max(each), 1),
        "bare_photos_per_second": round(count / sums["bare_clock"], 2),
        "lane_photos_per_second": round(count / sums["clock"], 2),
    }


def _with_threads(work: Callable[[Path], object], paths: Sequence[Path]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(work, paths):
            pass


def _bare(path: Path) -> None:
    bare_files([path])


def _bare_pillow(path: Path) -> None:
    """The same with Pillow alone."""
    from PIL import Image

    preview = _by_pillow(path.read_bytes())
    size = (THUMBNAIL, THUMBNAIL * SIZE[1] // SIZE[0])
    thumbnail = preview.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    preview.save(BytesIO(), "JPEG", quality=85)
    thumbnail.save(BytesIO(), "JPEG", quality=80)


# --- A large library ----------------------------------------------------------------------------------------


def rescan(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """The walk and one pass over the rows; the best of five, and the median."""
    from ingest.roots import register_folder, scan

    root = temporary / "many"
    for number in range(options.files):
        folder = root / f"{number // 10_000:03d}" / f"{number // 200:05d}"
        if number % 200 == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number:06d}.jpg").write_bytes(b"%d" % number)
    target = register_folder(str(root))
    first_cpu, first_clock = cost(lambda: scan(target))
    runs = []
    for _ in range(5):
        runs.append(cost(lambda: _check(scan(target), options.files)))
    clock = sorted(one[1] for one in runs)
    return {
        "files": options.files,
        "first_scan_files_per_second": round(options.files / first_clock),
        "files_per_second": round(options.files / statistics.median(clock)),
        "best_files_per_second": round(options.files / clock[0]),
        "cpu_seconds": round(statistics.median(one[0] for one in runs), 2),
        "first_scan_cpu_seconds": round(first_cpu, 2),
    }


def _check(session: Any, files: int) -> None:
    if session.unchanged != files:
        raise SystemExit(f"{session.unchanged} of {files} files count as unchanged: {session.message}")


def claim(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """Milliseconds to claim a batch: few waiting among many; all waiting; while many are finished."""
    from library.models import Photo

    few = 50 * BATCH
    _many_rows({Photo.State.COMPLETED: options.rows - few, Photo.State.PROCESSING_OBJECTS: few})
    figures: dict[str, Any] = {"rows": options.rows, "few_waiting": _claims(50, finish=True)}
    _many_rows({Photo.State.PROCESSING_OBJECTS: options.rows})
    figures["all_waiting"] = _claims(100, finish=False)
    Photo.objects.exclude(lease_until=None).update(lease_until=None, leased_by="")
    figures["all_waiting_and_being_finished"] = _claims(300, finish=True)
    return figures


def _many_rows(counts: dict[str, int]) -> None:
    """Nothing but these photos; without triggers, which would count and index each."""
    from django.db import connection

    from library.models import Photo

    columns = [field.column for field in Photo._meta.concrete_fields if field.column not in ("id", "sha256")]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE library_photo CASCADE")
        cursor.execute("SET session_replication_role = replica")
        for state, count in counts.items():
            template = Photo.objects.create(state=state)
            cursor.execute(
                f"INSERT INTO library_photo (sha256, {names}) "  # noqa: S608 - names of our columns
                f"SELECT md5(%s || n) || md5(n::text), {names} "
                "FROM library_photo, generate_series(1, %s) n WHERE id = %s",
                [state, count - 1, template.pk],
            )
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE library_photo")


def _claims(times: int, *, finish: bool) -> dict[str, float]:
    """On the clock, and what both processes worked for it: a busy machine says little by the clock."""
    from django.db import connection

    from ingest import leases
    from ingest.pipeline import QUICK_STATES
    from library.models import Photo

    worker = leases.Worker.this_process()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0])
    taken = []
    processor = 0.0
    for _ in range(times):
        before = time.process_time() + sum(server.cpu_times()[:2])
        started = time.perf_counter()
        ids = leases.claim(worker, QUICK_STATES, BATCH)
        taken.append(1000 * (time.perf_counter() - started))
        processor += time.process_time() + sum(server.cpu_times()[:2]) - before
        if len(ids) != BATCH:
            raise SystemExit(f"{len(ids)} photos were claimed instead of {BATCH}")
        if finish:
            Photo.objects.filter(pk__in=ids).update(
                state=Photo.State.COMPLETED, lease_until=None, leased_by=""
            )
    taken.sort()
    return {
        "median_ms": round(statistics.median(taken), 2),
        "p95_ms": round(taken[int(0.95 * len(taken))], 2),
        "slowest_ms": round(taken[-1], 2),
        "processor_ms_with_server": round(1000 * processor / times, 2),
    }


# --- Memory -------------------------------------------------------------------------------------------------


def memory(options: argparse.Namespace, temporary: Path) -> dict[str, Any]:
    """MiB after every 500 photos."""
    from django.db import reset_queries

    from ingest.files_lane import FilesLane
    from ingest.roots import register_folder, scan
    from library.models import Photo

    Photo.objects.all().delete()
    folder = temporary / "small"
    for number, data in enumerate(_small_pictures(options.small)):
        part = folder / f"{number // 500:03d}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{number:05d}.jpg").write_bytes(data)
    scan(register_folder(str(folder)))
    reset_queries()
    process = psutil.Process()
    curve: list[tuple[int, float]] = []
    seen = 0

    def look() -> None:
        nonlocal seen
        seen += 8 * THREADS
        if seen // 500 > len(curve):
            curve.append((seen, round(process.memory_info().rss / 2**20, 1)))
            print(f"{seen} photos: {curve[-1][1]} MiB", file=sys.stderr)

    FilesLane(threads=THREADS, on_progress=look).run()
    settled = [value for _, value in curve[len(curve) // 4 :]]
    return {
        "photos": options.small,
        "curve_mib": dict(curve),
        "growth_after_the_first_quarter_mib": round(settled[-1] - settled[0], 1),
    }


def _small_pictures(count: int) -> Iterator[bytes]:
    from PIL import Image

    dice = np.random.default_rng(5)
    for _ in range(count):
        noise = Image.fromarray(dice.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        size = (int(dice.integers(300, 900)), int(dice.integers(300, 900)))
        buffer = BytesIO()
        noise.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        yield buffer.getvalue()


PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "decoders": decoders,
    "lane": lane,
    "rescan": rescan,
    "claim": claim,
    "memory": memory,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--photos", type=int, default=2000, help="pictures of the lane")
    parser.add_argument("--round", type=int, default=40, help="pictures of one round")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"There is no part {', '.join(sorted(unknown))}.")
    figures: dict[str, Any] = {}
    with installation() as temporary:
        for name, measure in PARTS.items():
            if not options.parts or name in options.parts:
                figures[name] = measure(options, temporary)
                if not options.json:
                    print(f"{name}: {json.dumps(figures[name], indent=2)}")
    if options.json:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
