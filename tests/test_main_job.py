"""The main job on real photos: from a folder to a library in which everything is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.product import ASSETS, Installation, digests

PHOTOS = ASSETS / "photos"
CLIP = ASSETS / "models" / "clip-surrogate"
pytestmark = [
    pytest.mark.assets,
    pytest.mark.skipif(not PHOTOS.is_dir(), reason="the real photos (../shared/assets/photos) are not here"),
]

# A scan leaves its session, and a worker tells of itself while it lives; nothing else may be written.
QUIET_TABLES = """
    SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
    WHERE relname NOT LIKE 'django%' AND relname NOT LIKE 'auth%'
    AND relname NOT IN ('ingest_scansession', 'ingest_workerreport')
    ORDER BY relname
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The library of all assets, processed once for this module."""
    folder = tmp_path_factory.mktemp("main-job")
    folder.chmod(0o755)
    installation = Installation(folder / "data", {"CLIP_ONNX_DIR": str(CLIP)})
    yield installation
    installation.remove()


@pytest.fixture(scope="module")
def outcome(library: Installation) -> dict[str, Any]:
    """What the first run said; originals must be as they were."""
    before = digests(PHOTOS)
    said: dict[str, Any] = library.json("quickstart", str(PHOTOS), "--no-serve")
    assert digests(PHOTOS) == before
    return said


def test_every_picture_is_in_the_library_or_listed_with_a_reason(
    library: Installation, outcome: dict[str, Any]
) -> None:
    listed = {row[0] for row in library.query("SELECT display_path FROM library_photofile")}
    left_out = {skip["path"]: skip["reason"] for skip in outcome["skipped"]}
    companions = {".xmp", ".txt", ".md", ".markdown", ".csv"}
    files = {
        str(path.relative_to(PHOTOS))
        for path in PHOTOS.rglob("*")
        if path.is_file() and path.suffix.lower() not in companions
    }
    assert files == listed | set(left_out)
    assert all(left_out.values())
    assert all(failure["reason"] for failure in outcome["failed"])
    states = {state for state in outcome["photos"] if state != "total"}
    assert states == {"completed", "failed"}
    failed = {Path(failure["path"]).parent.name for failure in outcome["failed"]}
    assert failed <= {"corrupt_pillow_mitcmu", "heif_corrupted", "heif_truncated", "skimage_bsd_cc0"}


def test_everything_that_decodes_is_shown_with_all_steps_done(
    library: Installation, outcome: dict[str, Any]
) -> None:
    shown = library.query("SELECT count(*) FROM library_photo WHERE renditions_at IS NOT NULL")[0][0]
    assert shown == outcome["photos"]["completed"]
    assert outcome["photos"]["failed"] < 15
    for step, row in outcome["steps"].items():
        assert row["done"] == shown, step
        assert row["skipped"] == row["pending"] == 0
    renditions = library.data_dir / "renditions"
    assert len(list((renditions / "preview").rglob("*.jpg"))) == shown
    assert not list(renditions.rglob("*.tmp"))


def test_all_eight_orientations_stand_upright(library: Installation, outcome: dict[str, Any]) -> None:
    rows = library.query(
        "SELECT f.display_path, p.width > p.height FROM library_photofile f "
        "JOIN library_photo p ON p.id = f.photo_id WHERE f.display_path LIKE 'exif_orientation_mit/%'"
    )
    assert len(rows) == 18
    for path, landscape in rows:
        assert landscape == ("Landscape" in path), path


def test_a_cat_is_found_by_meaning(library: Installation, outcome: dict[str, Any]) -> None:
    hits = library.json("search", "cat")
    assert {Path(hit["path"]).name for hit in hits[:2]} == {"cat_720p.jpg", "chelsea.png"}
    assert all(hit["why"] for hit in hits)
    semantic = library.json("search", "cat", "--mode", "semantic")
    assert {Path(hit["path"]).name for hit in semantic[:2]} == {"cat_720p.jpg", "chelsea.png"}


def test_a_word_on_a_sign_is_found_by_ocr(library: Installation, outcome: dict[str, Any]) -> None:
    hits = library.json("search", "weekend warrior", "--mode", "keyword")
    assert [Path(hit["path"]).name for hit in hits] == ["craft-beer.jpg"]
    assert any(match["field"] == "text" for match in hits[0]["why"]["matches"])


def test_two_portraits_of_one_person_are_closest(library: Installation, outcome: dict[str, Any]) -> None:
    rows = library.query(
        "SELECT regexp_replace(a.display_path, '^.*/', ''), regexp_replace(b.display_path, '^.*/', ''), "
        "f.embedding <=> g.embedding FROM people_face f "
        "JOIN people_face g ON f.id < g.id "
        "JOIN library_photofile a ON a.photo_id = f.photo_id "
        "JOIN library_photofile b ON b.photo_id = g.photo_id "
        "WHERE a.display_path LIKE 'faces_us%' AND b.display_path LIKE 'faces_us%'"
    )
    distances = {frozenset((first, second)): distance for first, second, distance in rows}
    assert len(distances) == 3
    same = distances.pop(frozenset(("obama.jpg", "obama2.jpg")))
    assert all(same < other for other in distances.values())


def test_the_edits_of_one_picture_are_one_group(library: Installation, outcome: dict[str, Any]) -> None:
    edits = library.query(
        "SELECT DISTINCT photo_id FROM library_photofile WHERE display_path LIKE 'dup_pdq_bsd/%.jpg'"
    )
    ids = {row[0] for row in edits}
    pairs = library.query(
        f"SELECT first_id, second_id FROM library_duplicatepair WHERE first_id IN {tuple(ids)}"
    )
    group, grown = {min(ids)}, True
    while grown:
        near = {pk for pair in pairs if group & set(pair) for pk in pair}
        grown = not near <= group
        group |= near
    assert group == ids
    assert len(ids) == 12


def test_a_second_run_changes_nothing(library: Installation, outcome: dict[str, Any]) -> None:
    before = library.query(QUIET_TABLES)
    renditions = digests(library.data_dir / "renditions")
    again = library.json("quickstart", str(PHOTOS), "--no-serve")
    assert library.query(QUIET_TABLES) == before
    assert digests(library.data_dir / "renditions") == renditions
    assert again["photos"] == outcome["photos"]
    assert again["scans"][0]["unchanged"] == again["scans"][0]["found"] == outcome["scans"][0]["found"]
