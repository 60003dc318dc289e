"""Kill, stop and rob a running installation for as long as 300 photos take, and compare with a quiet one.

    .venv/bin/python benchmarks/chaos.py [--photos 300] [--strikes 60] [--seed 1] [--json]

Two installations process the same generated photos, with data folders and embedded PostgreSQL of their own in
a temporary folder. One is left in peace. In the other, workers, cluster masters, the web server, database
backends, the database and quickstart itself get kill -9; workers stand still beyond their lease; originals
vanish or are replaced for some seconds; previews are deleted and cut short. In the end every photo must be
there once, with the results of the quiet run, no original changed, nothing half-written, nobody left
(``manage.py verify_library`` and more). Otherwise it ends with status 1 and what differs. The order of the
tricks follows from the seed, which is printed. ``tests/chaos`` is the short form.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))


def main() -> int:
    """Run and tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--strikes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED") or time.time()))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(f"CHAOS_SEED={options.seed}", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix="heirloom-chaos-"))
    folder.chmod(0o755)
    try:
        return run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, options: argparse.Namespace) -> int:
    """Both installations, one after the other; 1 when they differ."""
    from tests.chaos.monkey import SETTINGS, TRICKS, Monkey, make_photos, undisturbed_facts
    from tests.product import Installation, digests

    photos = folder / "photos"
    make_photos(photos, options.photos)
    originals = digests(photos)
    quiet = Installation(folder / "quiet", dict(SETTINGS))
    victim = Installation(folder / "victim", dict(SETTINGS))
    dice = random.Random(options.seed)  # noqa: S311 - chaos, no secret
    monkey = Monkey(victim, photos, dice, say=lambda line: print(line, file=sys.stderr))
    try:
        started = time.monotonic()
        expected = undisturbed_facts(quiet, photos)
        quiet_seconds = time.monotonic() - started
        started = time.monotonic()
        monkey.run(options.strikes, list(TRICKS), pause=(0.5, 4.0), patience=3600)
        victim_seconds = time.monotonic() - started
        told = monkey.judge(expected, originals)
    finally:
        quiet.remove()
        monkey.bury()
    figures = {
        "seed": options.seed,
        "files": len(originals),
        "strikes": dict(monkey.done),
        "quiet_seconds": round(quiet_seconds),
        "chaos_seconds": round(victim_seconds),
        "faults": told,
    }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name.replace('_', ' ')}: {value}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
