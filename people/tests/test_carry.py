"""What people said goes to another library, and comes back: as JSON, from a SQLite database, as sidecars."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from library.models import Photo, PhotoFile, Root
from library.tests.factories import make_file, make_photo, make_root
from people.actions.answers import confirm, ignore, reject
from people.actions.draw import draw_face
from people.actions.guesses import record_guesses
from people.actions.merge import merge
from people.actions.persons import mark_not_same, pin, set_cover
from people.derivation import disagreeing
from people.models import Face, FaceLabel, ImportedName, NotSame, PeopleEvent, Person, Prototype
from people.tests.factories import add_face, make_person
from vision.imaging.regions import people_in
from vision.imaging.xmp import parse_tree
from vision.results import Box

pytestmark = pytest.mark.django_db


def call(*args: str, command: str = "people") -> Any:
    out = StringIO()
    call_command(command, *args, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def forget_people() -> None:
    """As in a new database: only the photos and what an engine finds in them are there."""
    for model in (NotSame, Prototype, FaceLabel, ImportedName):
        model.objects.all().delete()
    Person.objects.update(cover=None, merged_into=None)
    PeopleEvent.objects.update(undone_by=None)
    Face.objects.update(person=None, person_source="", status="face")
    Face.objects.filter(drawn=True).delete()
    PeopleEvent.objects.all().delete()
    Person.objects.all().delete()


@pytest.fixture
def told(owner: Any, anna: Person, ben: Person, tmp_path: Path) -> Path:
    """An export of a library in which everything was said once."""
    annie = make_person("Annie", birth_date=date(1990, 1, 1))
    faces = [add_face(make_photo()) for _ in range(4)]
    confirm(face_ids=[faces[0].pk], person=annie, by=owner)
    reject(face_ids=[faces[1].pk], person=ben, by=owner)
    ignore(face_ids=[faces[2].pk], by=owner)
    record_guesses(assignments=[(faces[3].pk, ben.pk, 0.9)], engine="test")
    draw_face(photo=faces[3].photo, box=Box(0.1, 0.7, 0.1, 0.2), person=ben, by=owner)
    pin(face_id=faces[0].pk, by=owner)
    merge(into=anna, others=[annie], by=owner)
    set_cover(person=anna, face_id=faces[0].pk, by=owner)
    mark_not_same(one=anna, two=ben, by=owner)
    path = tmp_path / "people.json"
    assert call("export", str(path)) == {"people": 2, "faces": 4}
    return path


def test_an_export_comes_back_into_an_empty_library(told: Path, owner: Any) -> None:
    before = json.loads(told.read_text())
    forget_people()
    entered = call("import", str(told))
    assert (entered["people_made"], entered["labels"], entered["boxes_drawn"]) == (2, 4, 1)
    assert entered["left_out"] == {}
    anna = Person.objects.active().get(name="Anna")
    face = anna.faces.get()
    assert (face.labels.get().by, face.person_source) == (owner, "human_confirmed")
    assert anna.birth_date == date(1990, 1, 1) and anna.cover == face and face.prototype.pinned
    assert [person.name for person in anna.merged.all()] == ["Annie"]
    assert Person.objects.get(name="Ben").faces.get().drawn
    assert Face.objects.filter(status="ignored").count() == 1
    assert NotSame.objects.count() == 1
    assert disagreeing() == []
    path = told.with_name("again.json")
    call("export", str(path))
    after = json.loads(path.read_text())
    assert [face["box"] for face in after["faces"]] == [face["box"] for face in before["faces"]]
    assert [person["name"] for person in after["people"]] == ["Anna", "Ben"]


def test_a_second_import_changes_nothing(told: Path) -> None:
    events = PeopleEvent.objects.count()
    entered = call("import", str(told))
    assert (entered["people_made"], entered["labels"], entered["boxes_drawn"]) == (0, 0, 0)
    assert entered["left_out"] == {"known here": 4}
    assert (PeopleEvent.objects.count(), Person.objects.count()) == (events, 3)


def test_what_was_said_here_stands(told: Path, owner: Any) -> None:
    face = Person.objects.get(name="Anna").faces.get()
    twin = add_face(face.photo, x=0.05)
    rejected, ignored = Face.objects.order_by("pk")[1:3]
    forget_people()
    here = make_person("Cleo"), make_person("Anna"), make_person("Ben")
    confirm(face_ids=[face.pk], person=here[0], by=owner)
    confirm(face_ids=[twin.pk], person=here[1], by=owner)
    confirm(face_ids=[rejected.pk], person=here[2], by=owner)
    confirm(face_ids=[ignored.pk], person=here[0], by=owner)
    entered = call("import", str(told))
    assert entered["left_out"] == {"answered otherwise here": 3}
    face.refresh_from_db()
    assert face.person == here[0]
    assert disagreeing() == []


def test_a_dry_run_writes_nothing(told: Path) -> None:
    forget_people()
    entered = call("import", str(told), "--dry-run")
    assert (entered["people_made"], entered["labels"]) == (2, 4)
    assert not Person.objects.exists() and not PeopleEvent.objects.exists()


@pytest.mark.parametrize("text", ["no json", "{}", '{"format": "heirloom-people", "version": 9}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(CommandError):
        call("import", str(path))


# --- SQLite -------------------------------------------------------------------------------------------------


def database(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def test_another_programs_people_are_taken_over(tmp_path: Path, db: None) -> None:
    """Keys by their declarations, photos by hash and by path, boxes in pixels, children before parents."""
    root = make_root(b"/family")
    one, two = make_photo("a/one.jpg", root=root), make_photo("a/two.jpg", root=root)
    known = add_face(one)
    path = database(
        tmp_path / "old.db",
        f"""
        CREATE TABLE people (id INTEGER PRIMARY KEY, display_name TEXT, dob TEXT,
            merged_into INTEGER REFERENCES people (id));
        CREATE TABLE photos (id INTEGER PRIMARY KEY, file_hash TEXT, file_path TEXT, width INT, height INT);
        CREATE TABLE faces (id INTEGER PRIMARY KEY, of_photo INTEGER REFERENCES photos (id),
            left REAL, top REAL, right REAL, bottom REAL);
        CREATE TABLE face_labels (id INTEGER PRIMARY KEY, which INTEGER REFERENCES faces (id),
            who INTEGER REFERENCES people (id), label_source TEXT, verdict TEXT, confidence REAL,
            created_at TEXT);
        INSERT INTO people VALUES (1, 'Annie', NULL, 2), (2, 'Anna', '1990-01-01', NULL),
            (3, 'Ben', NULL, NULL);
        INSERT INTO photos VALUES (7, '{one.sha256}', '/elsewhere/x.jpg', 1000, 500),
            (8, NULL, '/family/a/two.jpg', 1000, 500), (9, NULL, '/gone.jpg', 10, 10);
        INSERT INTO faces VALUES (70, 7, 400, 100, 600, 250), (71, 7, 10, 10, 90, 90),
            (80, 8, 100, 100, 200, 200), (81, 8, 500, 100, 600, 200), (90, 9, 1, 1, 2, 2),
            (82, 8, 0, 0, 0, 9);
        INSERT INTO face_labels VALUES
            (1, 70, 3, 'human_confirmed', 'confirmed', 1.0, '2020-01-01T10:00:00'),
            (2, 70, 3, 'human_confirmed', 'rejected', 1.0, '2020-01-02T10:00:00'),
            (3, 70, 1, 'human_confirmed', 'confirmed', 1.0, '2020-01-03T10:00:00'),
            (4, 71, 3, 'model_guess', 'confirmed', 0.8, NULL),
            (5, 80, 2, 'human_confirmed', 'confirmed', 1, NULL),
            (6, 81, 2, 'human_confirmed', 'confirmed', 1, NULL),
            (7, 90, 2, 'human_confirmed', 'confirmed', 1, NULL),
            (8, 82, 2, 'human_confirmed', 'confirmed', 1, NULL);
        """,
    )
    before = hashlib.sha256(path.read_bytes()).hexdigest(), sorted(os.listdir(tmp_path))
    dry = call("--sqlite", str(path), "--dry-run", command="import_people")
    assert not Person.objects.exists()
    entered = call("--sqlite", str(path), command="import_people")
    assert entered == dry | {"dry_run": False}
    assert (entered["people"], entered["labels"], entered["boxes_drawn"]) == (2, 3, 2)
    assert entered["left_out"] == {
        "faces without a box that can be read": 1,
        "guesses of the other program": 1,
        "photos that are not in this library": 1,
        "the person is another face of the photo": 1,
    }
    known.refresh_from_db()
    anna = Person.objects.get(name="Anna")
    assert (known.person, known.person_source, known.drawn) == (anna, "human_confirmed", False)
    assert known.labels.get(verdict="rejected").person == Person.objects.get(name="Ben")
    drawn = two.faces.get(person=anna)
    assert (drawn.x, drawn.y, drawn.width, drawn.height) == (0.1, 0.2, 0.1, 0.2)
    assert Person.objects.get(name="Annie").merged_into == anna
    after = hashlib.sha256(path.read_bytes()).hexdigest(), sorted(os.listdir(tmp_path))
    assert after == before, "the other program's database is only read"
    assert disagreeing() == []


def test_columns_of_other_names_and_boxes_as_json(tmp_path: Path, db: None) -> None:
    photo = make_photo()
    face = add_face(photo)
    path = database(
        tmp_path / "old.db",
        f"""
        CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('Anna');
        CREATE TABLE photos (sha256 TEXT); INSERT INTO photos VALUES ('{photo.sha256}');
        CREATE TABLE faces (image_id INT, bbox TEXT, person_id INT);
        INSERT INTO faces VALUES (1, '[0.4, 0.2, 0.2, 0.3]', NULL),
            (1, '{{"x": 0.1, "y": 0.6, "w": 0.1, "h": 0.1}}', 1);
        CREATE TABLE face_labels (face_id INT, person_id INT, is_confirmed INT);
        INSERT INTO face_labels VALUES (1, 1, 1);
        """,
    )
    entered = call("--sqlite", str(path), command="import_people")
    face.refresh_from_db()
    assert face.person == Person.objects.get() and face.person_source == "human_confirmed"
    assert entered["left_out"] == {"no face was found at the place": 1}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("CREATE TABLE photos (id INT)", "no table people, faces, face_labels"),
        (
            "".join(f"CREATE TABLE {name} (a);" for name in ("photos", "people", "faces", "face_labels")),
            "people has no column for the name",
        ),
    ],
)
def test_another_database_is_refused(tmp_path: Path, db: None, script: str, message: str) -> None:
    path = database(tmp_path / "old.db", script)
    with pytest.raises(CommandError, match=message):
        call("--sqlite", str(path), command="import_people")


def test_no_database_and_one_in_use_are_refused(tmp_path: Path, db: None) -> None:
    path = tmp_path / "old.db"
    with pytest.raises(CommandError, match="no such file"):
        call("--sqlite", str(path), command="import_people")
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(CommandError, match="no SQLite database"):
        call("--sqlite", str(path), command="import_people")
    path.with_name("old.db-wal").write_bytes(b"x")
    with pytest.raises(CommandError, match="has it open"):
        call("--sqlite", str(path), command="import_people")


# --- Sidecars -----------------------------------------------------------------------------------------------


@pytest.fixture
def originals(tmp_path: Path, anna: Person, owner: Any) -> tuple[Root, Path]:
    """A folder with a photo that lies on its side, and Anna in it."""
    folder = tmp_path / "originals"
    (folder / "2019").mkdir(parents=True)
    picture = Image.new("RGB", (80, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "2019" / "one.jpg", exif=exif)
    root = make_root(os.fsencode(folder), name="Family")
    photo = make_photo("2019/one.jpg", root=root, width=40, height=80)
    confirm(face_ids=[add_face(photo).pk], person=anna, by=owner)
    guessed = make_person("Ben")
    record_guesses(assignments=[(add_face(photo, x=0.05).pk, guessed.pk, 0.9)], engine="test")
    make_file(make_photo("2019/nobody.jpg", root=root), "2019/nobody2.jpg", root=root)
    return root, folder


def test_sidecars_go_into_a_copy(originals: tuple[Root, Path], tmp_path: Path) -> None:
    _, folder = originals
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    output = tmp_path / "copy"
    written = call("sidecars", "--output", str(output))
    assert (written["written"], written["problems"]) == (1, [])
    packet = (output / "2019" / "one.jpg.xmp").read_bytes()
    (found,) = people_in(parse_tree(packet), orientation=6, upright=(40, 80))
    assert found.name == "Anna" and found.box is not None
    assert (found.box.x, found.box.y) == (pytest.approx(0.4, abs=1e-5), pytest.approx(0.2, abs=1e-5))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert call("sidecars", "--output", str(output))["unchanged"] == 1
    assert call("sidecars", "--output", str(output), "--guesses")["written"] == 1
    assert b"Ben" in (output / "2019" / "one.jpg.xmp").read_bytes()


def test_sidecars_of_other_programs_are_left_alone(originals: tuple[Root, Path], tmp_path: Path) -> None:
    foreign = tmp_path / "copy" / "2019" / "one.jpg.xmp"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    assert call("sidecars", "--output", str(tmp_path / "copy"))["foreign"] == 1
    assert "Anna" not in foreign.read_text()


@pytest.mark.parametrize("where", ["originals", "originals/2019", "originals/new", "link", "link/2019"])
def test_nothing_is_written_beside_originals(
    originals: tuple[Root, Path], tmp_path: Path, where: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "originals")
    with pytest.raises(CommandError, match="Nothing is ever written there"):
        call("sidecars", "--output", str(tmp_path / where))
    assert not list(tmp_path.rglob("*.xmp"))


def test_a_link_inside_the_copy_leads_nowhere(originals: tuple[Root, Path], tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "2019").symlink_to(tmp_path / "originals" / "2019")
    written = call("sidecars", "--output", str(tmp_path / "copy"))
    assert written["written"] == 0 and len(written["problems"]) == 1
    assert not list((tmp_path / "originals").rglob("*.xmp"))
    assert PhotoFile.objects.count() == 3 and Photo.objects.count() == 2
