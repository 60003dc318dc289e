"""Everything the library knows about each file, in a form in which two installations can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Query = Callable[[str], Sequence[tuple[Any, ...]]]

_FACTS = """
    SELECT f.display_path, f.size, f.mtime_ns, f.missing_since, p.sha256, p.state, p.width, p.height,
        p.format, p.taken_local, encode(p.thumbhash, 'hex'), p.colours::text, p.exif::text, p.error_message,
        p.lost_leases, p.leased_by, p.lease_until, front.sha256,
        o.text, o.blocks::text, h.pdq::text, h.quality, d.document::text,
        (SELECT string_agg(concat_ws(':', step, status, engine, error), ' ' ORDER BY step)
            FROM ingest_steprun WHERE photo_id = p.id),
        (SELECT string_agg(concat_ws(':', t.name, round(o.confidence::numeric, 2)), ' ' ORDER BY t.name)
            FROM library_detectedobject o JOIN library_tag t ON t.id = o.tag_id WHERE o.photo_id = p.id),
        (SELECT string_agg(concat_ws(':', round(x::numeric, 3), round(y::numeric, 3)), ' ' ORDER BY x, y)
            FROM people_face WHERE photo_id = p.id)
    FROM library_photofile f JOIN library_photo p ON p.id = f.photo_id
    LEFT JOIN library_photo front ON front.id = p.duplicate_of_id
    LEFT JOIN library_ocrtext o ON o.photo_id = p.id LEFT JOIN library_photohash h ON h.photo_id = p.id
    LEFT JOIN search_searchdocument d ON d.photo_id = p.id
    WHERE f.missing_since IS NULL ORDER BY f.display_path
"""
_PAIRS = """
    SELECT least(one.sha256, two.sha256), greatest(one.sha256, two.sha256), distance, kind
    FROM library_duplicatepair pair JOIN library_photo one ON one.id = first_id
    JOIN library_photo two ON two.id = second_id
    WHERE one.missing_since IS NULL AND two.missing_since IS NULL ORDER BY 1, 2
"""
_VECTORS = """
    SELECT p.sha256, s.model, e.vector::text FROM library_photoembedding e
    JOIN library_photo p ON p.id = e.photo_id JOIN library_embeddingspace s ON s.id = e.space_id
    WHERE p.missing_since IS NULL ORDER BY 1, 2
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM library_photo WHERE missing_since IS NULL),
        (SELECT count(*) FROM library_photofile WHERE missing_since IS NULL)
"""


def facts(query: Query) -> dict[str, Any]:
    """By file: all results; and the pairs, the counts of rows, the vectors.

    Contents that were there only for a while are left out: the library remembers those as missing.
    """
    return {
        "files": {row[0]: row[1:] for row in query(_FACTS)},
        "pairs": list(query(_PAIRS)),
        "counts": list(query(_COUNTS)),
        "vectors": {row[:2]: np.array(row[2].strip("[]").split(","), float) for row in query(_VECTORS)},
    }


def differences(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """What differs, in words. Vectors may differ by rounding: batches are put together differently."""
    told = [f"{name}: {one[name]} != {two[name]}" for name in ("pairs", "counts") if one[name] != two[name]]
    for path in sorted(one["files"].keys() | two["files"].keys()):
        left, right = one["files"].get(path), two["files"].get(path)
        if left is None or right is None:
            told.append(f"{path}: {left} != {right}")
        elif left != right:
            pairs = [f"{a!r} != {b!r}" for a, b in zip(left, right, strict=True) if a != b]
            told.append(f"{path}: {'; '.join(pairs)}")
    if one["vectors"].keys() != two["vectors"].keys():
        told.append("other photos have vectors")
    else:
        told += [
            f"vector of {key}"
            for key, vector in one["vectors"].items()
            if not np.allclose(vector, two["vectors"][key], atol=1e-3)
        ]
    return told
