"""RAM++ against the reference: random full-size weights, all 4,585 tags; seconds and memory beside it.

    python benchmarks/ram_plus_parity.py [../shared/assets/ram-plus-golden] [--tags 4585] [--threads 1]

The folder holds ``random_weights.py`` (the same weights on every machine) and ``golden.npz`` (what the
reference implementation makes of them). Exit status 1 when a logit is further than 1e-4 away.
Needs torch (the extra ram-plus).
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

if importlib.util.find_spec("torch") is None:
    print("Left out: torch is not installed (the extra ram-plus).")
    sys.exit(0)

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from vision.taggers.ram_plus_checkpoint import RAM_PLUS, load_network  # noqa: E402

LIMIT = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT.parent / "shared" / "assets" / "ram-plus-golden"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--tags", type=int, default=RAM_PLUS.tags)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    source = random_weights(options.folder)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "weights.pth"
        weights = source.state_dict(options.tags)
        torch.save({"model": {key: torch.from_numpy(np.array(v)) for key, v in weights.items()}}, path)
        del weights
        return compare(path, source.pixels(), np.load(options.folder / "golden.npz"), options.tags)


def random_weights(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("random_weights", folder / "random_weights.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(path: Path, pixels: np.ndarray, golden: np.lib.npyio.NpzFile, tags: int) -> int:
    start = time.perf_counter()
    network = load_network(path, replace(RAM_PLUS, tags=tags), device="cpu", dtype=torch.float32)
    loaded = time.perf_counter()
    with torch.inference_mode():
        logits = np.concatenate([network(torch.from_numpy(row[None])).numpy() for row in pixels])
    done = time.perf_counter()
    with torch.inference_mode():
        tokens = network.image_tokens(torch.from_numpy(pixels[:1]))[:, 0].numpy()
    away = float(np.abs(logits - golden["logits"][:, :tags]).max())
    token_away = float(np.abs(tokens - golden["image_cls"][:1]).max())
    print(f"tags {logits.shape[1]}, pictures {len(pixels)}: largest difference of a logit {away:.2e}")
    print(f"class token: largest difference {token_away:.2e}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"load {loaded - start:.2f} s, {(done - loaded) / len(pixels):.2f} s a picture, "
        f"peak {peak:.0f} MiB (making the weights included)"
    )
    return int(max(away, token_away) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
