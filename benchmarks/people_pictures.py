"""Faces of real pictures for ``benchmarks/people.py``: a folder a person, or pairs with the truth."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from people_world import World


def read_folder(folder: Path) -> tuple[World, str]:
    """A world of the best face of each picture below ``folder/<person>/``, and the engine that saw it.

    Names that begin with ``_`` are strangers. Dates come from the pictures where they have one.
    """
    engine, rows = "", []
    names: dict[str, int] = {}
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        number = -1 if person.name.startswith("_") else names.setdefault(person.name, len(names))
        for file in sorted(path for path in person.rglob("*") if path.is_file()):
            engine, faces = _faces(file)
            if faces:
                best = max(faces, key=lambda face: face.box.width * face.box.height)
                rows.append(
                    (number, best.quality, np.asarray(best.embedding, dtype=np.float32), file.stat().st_mtime)
                )
            else:
                print(f"{file}: no face found", file=sys.stderr)
    count = len(rows)
    seconds = np.array([int(row[3]) for row in rows], dtype=np.int64)
    world = World(
        vectors=np.stack([row[2] for row in rows]),
        person=np.array([row[0] for row in rows]),
        quality=np.array([row[1] for row in rows]),
        photo=np.arange(count),
        event=np.arange(count),
        year=1970 + seconds / (365.2425 * 86_400),
        seconds=seconds,
        place=np.zeros((count, 2)),
        birth=np.full(len(names), 1900.0),
        family=np.arange(len(names)),
    )
    return world, engine


def read_pairs(file: Path) -> dict[str, Any]:
    """Verification at the default thresholds: precision and recall of pairs above high, and above low."""
    from people.thresholds import defaults_for

    engine, alike, same = "", [], []
    for one, two, truth in _lines(file):
        engine, left = _faces(one)
        engine, right = _faces(two)
        if left and right:
            alike.append(max(float(np.dot(a.embedding, b.embedding)) for a in left for b in right))
            same.append(truth)
    values, truths = np.array(alike), np.array(same, dtype=bool)
    thresholds = defaults_for(engine)
    result: dict[str, Any] = {"engine": engine, "pairs": len(values), "same": int(truths.sum())}
    for name, limit in (("high", thresholds.high), ("low", thresholds.low)):
        above = values >= limit
        result[name] = {
            "cosine": limit,
            "precision": round(float(truths[above].mean()), 4) if above.any() else None,
            "recall": round(float(above[truths].mean()), 4) if truths.any() else None,
        }
    return result


def _lines(file: Path) -> Iterator[tuple[Path, Path, bool]]:
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.reader(stream):
            if len(row) == 3 and row[2].strip() in ("0", "1"):
                yield file.parent / row[0].strip(), file.parent / row[1].strip(), row[2].strip() == "1"


def _faces(file: Path) -> tuple[str, list[Any]]:
    """The engine's name and what it finds; a picture that cannot be read is told and left out."""
    from library.engines import registry
    from vision.errors import VisionError
    from vision.imaging.open import load_rgb

    engine = registry().faces()
    try:
        return engine.space.engine, engine.analyze([load_rgb(file, 2048)])[0]
    except VisionError as error:
        print(f"{file}: {error}", file=sys.stderr)
        return engine.space.engine, []
