"""Taking results away: tables, data and originals."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest

from library.models import Photo, Root
from library.tests.factories import add_tag, make_photo, make_root, make_user
from search import export

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    make_root(str(tmp_path).encode(), name="Photos")
    return tmp_path


@pytest.fixture
def member(client, folder):
    user = make_user("member")
    client.force_login(user)
    return user


def original(folder, path, content=b"", **fields):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content or path.encode())
    return make_photo(path, root=Root.objects.get(name="Photos"), **fields)


def closed_photo(path="hidden.jpg"):
    root = make_root()
    root.visible_to.add(make_user())
    return make_photo(path, root=root)


def body(response):
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    assert response["Cache-Control"] == "no-store"
    return b"".join(response.streaming_content)


def exported(client, kind, q="after:2000", **more):
    return body(client.get("/search/export", {"q": q, "format": kind} | more))


def rows(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def archive(data):
    found = zipfile.ZipFile(io.BytesIO(data))
    assert found.testzip() is None
    return found


def test_a_table_in_the_order_of_the_results(client, member, folder):
    older = original(folder, "2019/a.jpg", title="Größe", latitude=-1.5, longitude=2.0)
    newer = original(folder, "2019/b.jpg")
    add_tag(older, "cat")
    add_tag(older, "sofa", 0.5)
    found = rows(exported(client, "csv"))
    assert [row["id"] for row in found] == [str(newer.pk), str(older.pk)]
    assert list(found[0]) == list(export.COLUMNS)
    row = found[1]
    assert (row["file"], row["folder"], row["root"]) == ("a.jpg", "2019", "Photos")
    assert (row["title"], row["tags"], row["latitude"]) == ("Größe", "cat; sofa", "-1.5")
    assert [row["id"] for row in rows(exported(client, "csv", sort="oldest"))][0] == str(older.pk)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(client, member, folder, text):
    original(folder, "a.jpg", title=text, keywords=[text], camera_model=text)
    row = rows(exported(client, "csv"))[0]
    for name in ("title", "keywords", "camera"):
        assert row[name].startswith("'"), name


def test_data_as_json(client, member, folder):
    photo = original(folder, "a.jpg", title="=1+1", keywords=["sea"])
    (found,) = json.loads(exported(client, "json"))
    assert (found["id"], found["title"], found["keywords"]) == (photo.pk, "=1+1", ["sea"])
    assert json.loads(exported(client, "json", q="camera:none")) == []


def test_originals_in_a_zip_stored_as_they_are(client, member, folder):
    original(folder, "x/photo.jpg", b"first")
    original(folder, "y/photo.jpg", b"second")
    original(folder, "y/PHOTO.JPG", b"third")
    found = archive(exported(client, "zip"))
    assert {found.read(name) for name in found.namelist()} == {b"first", b"second", b"third"}
    assert len({name.casefold() for name in found.namelist()}) == 3
    assert all(info.compress_type == zipfile.ZIP_STORED for info in found.infolist())


def test_what_is_not_there_is_listed(client, member, folder):
    original(folder, "a.jpg", b"here")
    original(folder, "missing.txt", b"a photo of this name")
    original(folder, "gone.jpg")
    (folder / "gone.jpg").unlink()
    found = archive(exported(client, "zip"))
    assert sorted(found.namelist()) == ["a.jpg", "missing (2).txt", "missing.txt"]
    assert found.read("missing.txt") == b"gone.jpg: not there\n"


def test_a_disk_that_goes_away_ends_the_file_and_not_the_archive(client, member, folder, monkeypatch):
    original(folder, "a.jpg")

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(export, "open_original", lambda photo, files: (files[0], Broken()))
    found = archive(exported(client, "zip"))
    assert found.read("missing.txt") == b"a.jpg: broke off while it was read (Input/output error)\n"


@pytest.mark.parametrize("kind", ["csv", "json", "zip"])
def test_nothing_is_exported_that_one_may_not_see(client, member, folder, kind):
    original(folder, "open.jpg")
    hidden = closed_photo("secret-name.jpg")
    assert b"secret" not in exported(client, kind)
    data = body(client.post(f"/search/export/chosen?format={kind}", {"photo": [hidden.pk, _open().pk]}))
    assert b"secret" not in data
    assert b"open.jpg" in data


def _open():
    return Photo.objects.get(files__display_path="open.jpg")


def test_a_photo_in_two_places_comes_from_the_one_that_may_be_seen(client, member, folder):
    photo = original(folder, "open.jpg", b"bytes")
    closed = closed_photo().files.get().root
    photo.files.create(
        root=closed, relative_path=b"secret.jpg", display_path="secret.jpg", size=1, mtime_ns=1,
        seen_at="2020-01-01T00:00Z",
    )  # fmt: skip
    assert archive(exported(client, "zip")).namelist() == ["open.jpg"]
    assert b"secret" not in exported(client, "csv")


def test_rights_that_end_while_it_is_written_are_heeded(member, folder, monkeypatch):
    monkeypatch.setattr(export, "PORTION", 1)
    photos = [original(folder, f"{number}.jpg") for number in range(3)]
    lines = export.csv_lines([photo.pk for photo in photos], member)
    assert [next(lines) for _ in range(2)]
    Root.objects.get(name="Photos").visible_to.add(make_user())
    assert list(lines) == []


def test_memory_does_not_grow_with_the_files(member, folder, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 1000)
    photos = [original(folder, f"{number}.jpg", bytes(50_000)) for number in range(3)]
    sizes = [len(piece) for piece in export.zip_chunks([photo.pk for photo in photos], member)]
    assert sum(sizes) > 150_000
    assert max(sizes) < 2000


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("IMG_1.jpg", "IMG_1.jpg"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\\b:c*?.jpg", "a_b_c__.jpg"),
        ("con.jpg", "_con.jpg"),
        ("...", "photo"),
        ("trailing. ", "trailing"),
        ("line\nbreak\x00.jpg", "line_break_.jpg"),
        ("ü" * 200 + ".jpg", "ü" * 98 + ".jpg"),
    ],
)
def test_names_in_a_zip_are_safe(name, safe):
    assert export.safe_name(name) == safe
    assert len(export.safe_name(name).encode()) <= export.NAME_BYTES


def test_an_unknown_format_is_refused_and_nothing_chosen_is_said(client, member):
    assert client.get("/search/export", {"q": "cat", "format": "exe"}).status_code == 400
    html = client.post("/search/export/chosen?format=zip", {}, follow=True).content.decode()
    assert "No photo was chosen" in html


def test_only_people_who_logged_in_may_export(client):
    assert client.get("/search/export?q=cat&format=csv").status_code == 302
