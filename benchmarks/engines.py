"""Every engine that can run here: load seconds, memory, pictures a second, against the bare library call.

    .venv/bin/python benchmarks/engines.py [--folder FOLDER] [--engine NAME …] [--device cpu|cuda] [--json]
        [--clip ViT-B-32] [--random] [--models data/models] [--seconds 6]

Each engine is measured in a process of its own, on the JPEGs of FOLDER (previews; by default painted ones),
at batches of 1, 8 and 32. Engine and bare call take turns, so that a machine whose speed wavers wavers for
both; the overhead is in CPU-seconds on a processor, in seconds on the clock on a graphics card. Memory is
what the process holds more after loading and one batch, on a card all that was taken. Engines whose packages
or weights are missing are left out with the reason; ``--random`` makes full-size models with random weights
for those where that can be done (the speed of a network does not depend on its weights).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.engine_cases import CASES, Setup  # noqa: E402
from benchmarks.previews import pictures  # noqa: E402
from vision.errors import EngineUnavailable  # noqa: E402

BATCHES = (1, 8, 32)
#: Batches that would take longer (seconds) are left out.
LONGEST_CALL = 20.0
TEXTS = ("two cats on a sofa", "a receipt from the vet", "grandmother at the beach in 2019")


def resident_mib() -> float:
    """Memory of this process."""
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def card_mib() -> int:
    """Memory that is taken on the graphics cards, whoever took it; 0 without one."""
    from vision.memory import gpus

    return sum(card.used_mib for card in gpus())


def measure(name: str, setup: Setup, folder: Path | None, seconds: float) -> dict[str, Any]:
    """One engine, in this process. Raises EngineUnavailable when it cannot run."""
    images = pictures(folder)
    case = CASES[name](setup)
    before, on_card, started = resident_mib(), card_mib(), time.perf_counter()
    case.ours(images[:1])
    row: dict[str, Any] = {
        "engine": case.engine_id,
        "load_seconds": round(time.perf_counter() - started, 2),
        "memory_mib": round(resident_mib() - before),
        "gpu_memory_mib": max(0, card_mib() - on_card) if setup.device == "cuda" else 0,
        "images_per_second": {},
        "overhead_percent": {},
    }
    if case.finds:
        found: Any = case.ours(images[:8])
        row["found"] = f"{sum(map(len, found)) / len(found):g} {case.finds} a picture"
    clock = time.perf_counter if setup.device == "cuda" else time.process_time
    for batch in BATCHES:
        rates = list(row["images_per_second"].values())
        if rates and batch / rates[-1] > LONGEST_CALL:
            continue
        ours, bare, wall = take_turns(
            lambda batch=batch: case.ours(images[:batch]),
            (lambda batch=batch: case.bare(images[:batch])) if case.bare else None,
            seconds,
            clock,
        )
        row["images_per_second"][batch] = round(batch / wall, 2)
        if bare:
            row["overhead_percent"][batch] = round(100 * (ours / bare - 1), 1)
    if case.text:
        text_of = case.text
        text_of(TEXTS[:1])
        _, _, wall = take_turns(lambda: text_of(TEXTS[:1]), None, seconds / 2, clock)
        row["text_milliseconds"] = round(1000 * wall, 1)
    return row


def take_turns(
    ours: Callable[[], object],
    bare: Callable[[], object] | None,
    seconds: float,
    clock: Callable[[], float],
) -> tuple[float, float, float]:
    """Medians: cost of a call of ours, of the bare one (0 without), and ours in seconds on the clock."""
    ours()
    if bare:
        bare()
    costs: tuple[list[float], list[float], list[float]] = ([], [], [])
    end = time.monotonic() + seconds
    while len(costs[0]) < 3 or time.monotonic() < end:
        for call, kept in ((ours, costs[0]), (bare, costs[1])):
            if call is None:
                continue
            cpu, wall = clock(), time.perf_counter()
            call()
            kept.append(clock() - cpu)
            if call is ours:
                costs[2].append(time.perf_counter() - wall)
        if time.monotonic() > end + 10 * seconds and costs[0]:
            break
    return float(np.median(costs[0])), float(np.median(costs[1] or [0])), float(np.median(costs[2]))


def in_a_process(name: str, options: argparse.Namespace, cache: str) -> dict[str, Any]:
    """Measure one engine in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--cache", cache, "--clip", options.clip]
    command += ["--models", str(options.models)]
    command += ["--device", options.device, "--seconds", str(options.seconds)]
    command += ["--random"] if options.random else []
    command += ["--folder", str(options.folder)] if options.folder else []
    if options.random:
        # Apart from what is measured: making a model leaves memory behind.
        made = subprocess.run([*command, "--prepare"], capture_output=True, text=True, check=False)
        if made.returncode:
            return {"engine": name, "left_out": (made.stderr.strip().splitlines() or ["failed"])[-1]}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"engine": name, "left_out": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| engine | load s | memory MiB | images/s at 1 / 8 / 32 | text ms | overhead % at 1 / 8 / 32 |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "left_out" in row:
            continue
        memory = f"{row['memory_mib']}" + (f" + {row['gpu_memory_mib']} GPU" if row["gpu_memory_mib"] else "")
        rates, overheads = (
            " / ".join(str(value) for value in row[key].values()) or "–"
            for key in ("images_per_second", "overhead_percent")
        )
        cells = (
            row["engine"] + (f" ({row['found']})" if "found" in row else ""),
            row["load_seconds"],
            memory,
            rates,
            row.get("text_milliseconds", "–"),
            overheads,
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines += ["", *(f"Left out: {row['engine']}: {row['left_out']}" for row in rows if "left_out" in row)]
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--engine", action="append", choices=sorted(CASES), default=[])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--clip", default="ViT-B-32", help="an OpenCLIP model name, for --random")
    parser.add_argument("--models", type=Path, default=PROJECT / "data" / "models", help="MODEL_CACHE_DIR")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        setup = Setup(
            Path(options.cache), options.models, options.device, options.clip, random=options.random
        )
        try:
            if options.prepare:
                CASES[options.one](setup)
                return 0
            row = measure(options.one, setup, options.folder, options.seconds)
        except EngineUnavailable as error:
            print(error, file=sys.stderr)
            return 1
        print(json.dumps(row))
        return 0
    with tempfile.TemporaryDirectory(prefix="heirloom-bench-") as scratch:
        rows = [in_a_process(name, options, scratch) for name in options.engine or CASES]
    print(json.dumps(rows, indent=2) if options.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
