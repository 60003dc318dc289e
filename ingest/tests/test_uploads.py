"""Uploads as a browser sends them: over HTTP, in pieces, broken off, twice, and by people who may not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from ingest import upload_views, uploads
from ingest.models import ScanSession, Upload
from ingest.roots import ScanTarget, register_folder, scan
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, jpeg, states
from library.models import Photo, PhotoFile, Root, RootViewer
from library.tests.factories import make_user

pytestmark = pytest.mark.django_db
PICTURE = jpeg(1, (300, 200))


@pytest.fixture(autouse=True)
def _room(settings: Any) -> None:
    settings.UPLOAD_MIN_FREE = 0
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def announce(client: Client, name: str, content: bytes, **said: Any) -> Any:
    data = {"name": name, "size": len(content), "sha256": sha(content)} | said
    return client.post("/api/uploads", json.dumps(data), content_type="application/json")


def send(client: Client, url: str, content: bytes, at: int = 0) -> Any:
    kind = "application/offset+octet-stream"
    return client.patch(url, content, content_type=kind, headers={"Upload-Offset": str(at)})


def upload(client: Client, name: str, content: bytes, **said: Any) -> Any:
    begun = announce(client, name, content, **said).json()
    return send(client, begun["url"], content, begun["offset"])


def stored(settings: Any) -> list[str]:
    folder = settings.DATA_DIR / "uploads"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def parts(settings: Any) -> list[Path]:
    return list((settings.DATA_DIR / "incoming").glob("*"))


def test_a_photo_sent_in_pieces_is_in_the_library_first_in_line(
    member_client: Client, engines: Engines, settings: Any
) -> None:
    begun = announce(member_client, "one.jpg", PICTURE, modified=1_600_000_000_000)
    assert begun.status_code == 201
    state = begun.json()
    assert (state["offset"], state["chunk"], begun["Location"]) == (0, upload_views.CHUNK_BYTES, state["url"])
    assert stored(settings) == []
    half = send(member_client, state["url"], PICTURE[:1000])
    assert (half.json()["offset"], half["Upload-Offset"]) == (1000, "1000")
    assert stored(settings) == []
    done = send(member_client, state["url"], PICTURE[1000:], 1000).json()
    assert (done["finished"], done["photo"]) == (True, None)
    photo = Photo.objects.get()
    assert (photo.priority, photo.state, photo.sha256) == (Photo.Priority.UPLOAD, "pending", sha(PICTURE))
    file = photo.files.get()
    path = Path(os.fsdecode(bytes(file.root.path))) / file.display_path
    assert (
        path == settings.DATA_DIR.resolve() / "uploads" / timezone.localtime().strftime("%Y/%m") / "one.jpg"
    )
    assert path.read_bytes() == PICTURE
    assert path.stat().st_mtime == 1_600_000_000
    assert parts(settings) == []
    assert OrmQ.objects.filter(key="files").exists()

    Album(path.parent).process()
    seen = member_client.get(state["url"]).json()
    assert seen["photo"] == f"/photo/{photo.pk}"
    assert b"".join(member_client.get(seen["thumbnail"]).streaming_content)
    assert f"/photo/{photo.pk}" in member_client.get("/").text
    scanned = scan(ScanTarget(Root.objects.get()))
    assert (scanned.found, scanned.unchanged) == (1, 1)


def test_an_upload_that_was_broken_off_goes_on_where_it_was(member_client: Client) -> None:
    first = announce(member_client, "one.jpg", PICTURE).json()
    send(member_client, first["url"], PICTURE[:500])
    # Another page, another day: the server says what is there, and finds it again by name, size and hash.
    [open_one] = member_client.get("/api/uploads").json()["uploads"]
    assert (open_one["name"], open_one["offset"]) == ("one.jpg", 500)
    again = announce(member_client, "one.jpg", PICTURE).json()
    assert (again["id"], again["offset"]) == (first["id"], 500)
    assert send(member_client, again["url"], PICTURE[500:], 500).json()["finished"]
    assert member_client.get("/api/uploads").json()["uploads"] == []


def test_another_file_of_the_same_name_and_size_is_another_upload(member_client: Client) -> None:
    other = PICTURE[:-1] + b"x"
    first = announce(member_client, "one.jpg", PICTURE).json()
    assert announce(member_client, "one.jpg", other).json()["id"] != first["id"]


def test_bytes_for_the_wrong_place_are_refused_with_the_right_one(member_client: Client) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    send(member_client, url, PICTURE[:500])
    refused = send(member_client, url, PICTURE[400:600], 400)
    assert (refused.status_code, refused.json()["error"]) == (
        409,
        "one.jpg: 500 bytes have arrived, not 400.",
    )
    assert send(member_client, url, PICTURE + b"x", 500).status_code == 413
    assert member_client.patch(url, b"x").status_code == 400
    assert member_client.head(url)["Upload-Offset"] == "500"


def test_what_is_known_is_not_sent(member_client: Client, album: Album, engines: Engines) -> None:
    album.put("known.jpg", PICTURE)
    album.take_in()
    answer = announce(member_client, "one.jpg", PICTURE).json()
    assert answer == {"known": True, "photo": f"/photo/{Photo.objects.get().pk}"}
    assert not Upload.objects.exists()


def test_what_turns_out_to_be_known_when_it_has_arrived_is_dropped(
    member_client: Client, album: Album, engines: Engines, settings: Any
) -> None:
    album.put("known.jpg", PICTURE)
    album.take_in()
    assert upload(member_client, "one.jpg", PICTURE, sha256="").json()["known"]
    assert stored(settings) == []
    assert parts(settings) == []
    assert not Upload.objects.exists()


def test_a_photo_somebody_may_not_see_is_not_betrayed_but_found_again(
    member_client: Client, album: Album, engines: Engines, owner: Any
) -> None:
    album.put("secret.jpg", PICTURE)
    album.take_in()
    secret = Photo.objects.get()
    RootViewer.objects.create(root=Root.objects.get(), user=owner)
    answer = announce(member_client, "one.jpg", PICTURE)
    assert answer.status_code == 201
    done = send(member_client, answer.json()["url"], PICTURE).json()
    assert done["finished"] and "known" not in done
    album.process()
    assert Photo.objects.get() == secret
    assert member_client.get(f"/photo/{secret.pk}").status_code == 200


def test_a_photo_whose_file_is_gone_comes_back_by_an_upload(
    member_client: Client, album: Album, engines: Engines
) -> None:
    album.put("one.jpg", PICTURE)
    album.put("two.jpg", 2)
    album.take_in()
    photo = album.photo("one.jpg")
    (album.folder / "one.jpg").unlink()
    album.scan()
    assert upload(member_client, "one.jpg", PICTURE).json()["finished"]
    album.process()
    photo.refresh_from_db()
    assert photo.missing_since is None
    assert Photo.objects.count() == 2


def test_names_that_are_taken_get_a_number_and_nothing_is_overwritten(
    member_client: Client, settings: Any
) -> None:
    contents = [jpeg(seed) for seed in range(3)]
    for content in contents:
        upload(member_client, "one.jpg", content)
    assert stored(settings) == ["one-2.jpg", "one-3.jpg", "one.jpg"]
    found = {path.read_bytes() for path in (settings.DATA_DIR / "uploads").rglob("*.jpg")}
    assert found == set(contents)


@pytest.mark.parametrize(
    "name", ["../../../one.jpg", "/etc/one.jpg", "a\\..\\one.jpg", "\0one.jpg", "..one.jpg"]
)
def test_no_name_leads_out_of_the_folder(member_client: Client, settings: Any, name: str) -> None:
    before = {path for path in settings.DATA_DIR.parent.rglob("*") if path.is_file()}
    upload(member_client, name, PICTURE)
    new = {path for path in settings.DATA_DIR.parent.rglob("*") if path.is_file()} - before
    assert [path.name for path in new] == ["one.jpg"]
    assert stored(settings) == ["one.jpg"]


def test_damaged_bytes_are_not_taken(member_client: Client, settings: Any) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    answer = send(member_client, url, PICTURE[:-1] + b"x")
    assert answer.status_code == 422
    assert answer.json()["error"] == "one.jpg was damaged on its way. Send it again."
    assert (stored(settings), parts(settings), Photo.objects.count()) == ([], [], 0)


@pytest.mark.parametrize(
    ("name", "changes", "said", "status", "words"),
    [
        ("a.exe", {}, {}, 415, "a.exe: files .exe are no pictures"),
        ("page.html", {}, {}, 415, "page.html: files .html"),
        ("name", {}, {}, 415, "name: files without an extension"),
        ("a.jpg", {}, {"size": 0}, 400, "a.jpg is empty"),
        ("a.jpg", {"MAX_FILE_SIZE": 2_000_000}, {"size": 2_000_001}, 413, "larger than the 2 MB"),
        ("a.jpg", {"UPLOAD_QUOTA": 1000}, {"size": 1001}, 413, "used up what you may upload"),
        ("a.jpg", {"UPLOAD_MIN_FREE": 10**17}, {}, 507, "the disk of this library is nearly full"),
        ("a.jpg", {"UPLOADS": "off"}, {}, 403, "a.jpg: you may not upload"),
        ("a.jpg", {"UPLOADS": "permitted"}, {}, 403, "a.jpg: you may not upload"),
        ("a.jpg", {}, {"sha256": "../x"}, 400, "no SHA-256"),
        ("a.jpg", {}, {"size": "many"}, 400, "JSON with the name and the size"),
        ("a.jpg", {}, {"size": True}, 400, "JSON with the name and the size"),
        ("a.jpg", {}, {"modified": 10**20}, 400, "JSON with the name and the size"),
    ],
)
def test_what_is_not_taken_is_refused_with_its_name_and_the_reason(
    member_client: Client,
    settings: Any,
    name: str,
    changes: dict[str, Any],
    said: dict[str, Any],
    status: int,
    words: str,
) -> None:
    for setting, value in changes.items():
        setattr(settings, setting, value)
    answer = announce(member_client, name, PICTURE, **said)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert not Upload.objects.exists()


def test_nonsense_is_answered_in_words(member_client: Client) -> None:
    for body in (b"", b"[]", b"{", b'"x"', b"[" * 100_000, b"\xff"):
        assert member_client.post("/api/uploads", body, content_type="application/json").status_code == 400


def test_who_has_the_permission_may_upload(member_client: Client, member: Any, settings: Any) -> None:
    from django.contrib.auth.models import Permission

    settings.UPLOADS = "permitted"
    assert "uploader" not in member_client.get("/").text.replace("ingest/uploader", "")
    member.user_permissions.add(Permission.objects.get(codename="add_upload"))
    assert announce(member_client, "one.jpg", PICTURE).status_code == 201
    assert 'id="uploader"' in member_client.get("/").text


def test_a_root_of_uploads_that_is_closed_to_somebody_takes_nothing_of_theirs(
    member_client: Client, owner_client: Client, owner: Any
) -> None:
    upload(owner_client, "one.jpg", PICTURE)
    RootViewer.objects.create(root=Root.objects.get(), user=owner)
    assert announce(member_client, "two.jpg", jpeg(2)).status_code == 403
    assert announce(owner_client, "two.jpg", jpeg(2)).status_code == 201


def test_strangers_and_other_members_get_nowhere(member_client: Client, settings: Any) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    other = Client()
    other.force_login(make_user("moritz"))
    for method in ("get", "patch", "delete"):
        assert getattr(other, method)(url).status_code == 404
        assert getattr(Client(), method)(url).status_code == 302
    assert other.get("/api/uploads").json() == {"uploads": []}
    assert member_client.get(f"/api/uploads/{uuid.uuid4()}").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = member_client.cookies
    assert announce(strict, "two.jpg", PICTURE).status_code == 403
    assert send(strict, url, PICTURE).status_code == 403
    assert strict.delete(url).status_code == 403
    assert parts(settings)[0].stat().st_size == 0


def test_an_upload_can_be_taken_back(member_client: Client, settings: Any) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    send(member_client, url, PICTURE[:100])
    assert member_client.delete(url).status_code == 204
    assert (parts(settings), Upload.objects.count()) == ([], 0)
    done = upload(member_client, "one.jpg", PICTURE).json()
    assert member_client.delete(done["url"]).status_code == 204
    assert stored(settings) == ["one.jpg"]  # what is in the library is an original, and stays


def test_parts_that_nobody_went_on_with_are_forgotten(member_client: Client, settings: Any) -> None:
    announce(member_client, "old.jpg", PICTURE)
    announce(member_client, "new.jpg", PICTURE)
    orphan = settings.DATA_DIR / "incoming" / f"{uuid.uuid4()}.part"
    orphan.touch()
    long_ago = timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS, minutes=1)
    os.utime(orphan, (long_ago.timestamp(),) * 2)
    Upload.objects.filter(name="old.jpg").update(touched_at=long_ago)
    assert uploads.clean_up() == 1
    [kept] = Upload.objects.all()
    assert (kept.name, parts(settings)) == ("new.jpg", [uploads.part_path(kept)])


def test_a_full_disk_keeps_what_has_arrived_and_says_so(
    member_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    send(member_client, url, PICTURE[:700])

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = send(member_client, url, PICTURE[700:], 700)
    assert answer.status_code == 507
    assert answer.json()["error"] == "one.jpg could not be stored: No space left on device."
    assert (stored(settings), Photo.objects.count()) == ([], 0)
    monkeypatch.undo()
    settings.UPLOAD_MIN_FREE = 0
    assert send(member_client, url, b"", len(PICTURE)).json()["finished"]


def test_a_file_that_is_no_picture_is_kept_as_failed_with_the_reason(
    member_client: Client, engines: Engines, settings: Any
) -> None:
    done = upload(member_client, "one.jpg", b"no picture").json()
    Album(settings.DATA_DIR / "uploads").process()
    assert set(states().values()) == {Photo.State.FAILED}
    assert member_client.get(done["url"]).json()["failed"]


def test_the_folder_of_uploads_is_scanned_like_any_other(
    member_client: Client, engines: Engines, settings: Any
) -> None:
    upload(member_client, "one.jpg", PICTURE)
    announce(member_client, "two.jpg", jpeg(2))
    target = register_folder(str(settings.DATA_DIR / "uploads"))
    (settings.DATA_DIR / "uploads" / "three.jpg").write_bytes(jpeg(3))
    session = scan(target)
    assert (session.status, session.found, session.new) == (ScanSession.Status.FINISHED, 2, 1)
    shutil.rmtree(settings.DATA_DIR / "uploads")
    assert scan(target).status == ScanSession.Status.FAILED
    assert PhotoFile.objects.present().count() == 2


def test_without_a_script_a_plain_form_takes_several_files(
    member_client: Client, engines: Engines, settings: Any
) -> None:
    assert 'enctype="multipart/form-data"' in member_client.get("/upload").text
    files = [
        SimpleUploadedFile("one.jpg", PICTURE),
        SimpleUploadedFile("two.jpg", jpeg(2)),
        SimpleUploadedFile("again.jpg", PICTURE),
        SimpleUploadedFile("notes.txt", b"x"),
    ]
    page = member_client.post("/upload", {"files": files}, follow=True).text
    assert "2 photos added." in page
    assert "again.jpg is in the library already" in page
    assert "notes.txt: files .txt are no pictures that this library takes." in page
    assert stored(settings) == ["one.jpg", "two.jpg"]


@pytest.mark.django_db(transaction=True)
def test_two_browsers_that_send_one_file_at_once_make_one_photo(settings: Any) -> None:
    clients = []
    for name in ("max", "moritz"):
        client = Client()
        client.force_login(make_user(name))
        clients.append((client, announce(client, f"{name}.jpg", PICTURE).json()["url"]))
    together = threading.Barrier(2)
    answers: list[dict[str, Any]] = []

    def run(client: Client, url: str) -> None:
        together.wait()
        answers.append(send(client, url, PICTURE).json())
        connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted("known" in answer for answer in answers) == [False, True]
    assert Photo.objects.count() == PhotoFile.objects.count() == len(stored(settings)) == 1
    assert parts(settings) == []


@pytest.mark.django_db(transaction=True)
def test_one_upload_has_one_writer(member_client: Client, settings: Any) -> None:
    url = announce(member_client, "one.jpg", PICTURE).json()["url"]
    found = Upload.objects.get()
    with uploads._locked_part(found):
        assert send(member_client, url, PICTURE).status_code == 423
    assert send(member_client, url, PICTURE).json()["finished"]
