"""From the files of other programs to what the library knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, jpeg
from library.actions.times import correct_times
from library.models import Album as PhotoAlbum
from library.models import Photo, Root, RootViewer, VideoPart
from library.tests.factories import make_user
from people.models import FaceLabel, ImportedName, Person
from search.filters import eligible
from search.query import parse
from vision.tests.test_imaging_foreign import applied, camera, mwg, note, packet
from vision.tests.test_imaging_motion import SHOT, apple, motion_photo, movie

pytestmark = pytest.mark.django_db


def found(query: str) -> set[int]:
    owner = make_user(owner=True)
    return set(eligible(parse(query), owner).photos.values_list("pk", flat=True))


def test_a_takeout_is_read(album: Album, engines: Engines) -> None:
    geo = {"latitude": 48.0, "longitude": 2.0, "altitude": 0.0}
    album.put("Photos from 2019/IMG_1.jpg", 1)
    album.put(
        "Photos from 2019/IMG_1.jpg.supplemental-metadata.json",
        note(description="On the beach", people=[{"name": "Anna"}], geoData=geo),
    )
    album.put("Photos from 2019/metadata.json", json.dumps({"title": "Photos from 2019"}).encode())
    album.take_in()
    photo = album.photo("Photos from 2019/IMG_1.jpg")
    assert (photo.description, photo.latitude, photo.taken_source) == ("On the beach", 48.0, "takeout")
    assert photo.taken_at and photo.taken_at.timestamp() == 1_562_243_696
    assert photo.place and photo.place.country == "France"
    assert found("place:france") == {photo.pk}
    # The lone name is the lone face's.
    label = FaceLabel.objects.get()
    assert (label.person.name, label.source, label.face.photo) == ("Anna", "imported", photo)
    assert found("person:anna") == {photo.pk}
    assert not PhotoAlbum.objects.exists()


def test_a_photo_is_in_the_albums_of_all_its_copies(album: Album) -> None:
    album.put("Photos from 2019/IMG_1.jpg", 1)
    album.put("Trip/IMG_1.jpg", 1)
    album.put("Trip/IMG_2.jpg", 2)
    album.put("Trip/metadata.json", json.dumps({"title": "Our trip"}).encode())
    album.scan()
    album.read()
    trip = PhotoAlbum.objects.get()
    assert (trip.title, trip.source) == ("Our trip", "takeout")
    assert set(trip.photos.all()) == {album.photo("Trip/IMG_1.jpg"), album.photo("Trip/IMG_2.jpg")}
    assert Photo.objects.count() == 2
    assert len(found("album:trip")) == 2
    assert len(found('album:"our trip"')) == 2
    assert found("album:other") == set()


def test_albums_in_closed_folders_are_not_told(album: Album, tmp_path: Any) -> None:
    album.put("a.jpg", 1)
    album.scan()
    closed = Album(tmp_path / "closed")
    closed.put("a.jpg", 1)
    closed.put("metadata.json", b'{"title": "Secret"}')
    closed.scan()
    RootViewer.objects.create(root=Root.objects.latest("pk"), user=make_user())
    album.read()
    assert len(found("album:secret")) == 1
    assert not eligible(parse("album:secret"), make_user()).photos.exists()


def test_a_copy_with_notes_tells_the_photo_that_has_none(album: Album, engines: Engines) -> None:
    """Somebody has the pictures already and unpacks a Takeout next to them."""
    album.put("pictures/a.jpg", 1)
    album.take_in()
    album.put("takeout/a.jpg", 1)
    album.put("takeout/a.jpg.json", note("a.jpg", description="told by Google"))
    album.take_in()
    photo = album.photo("pictures/a.jpg")
    assert album.names(photo) == ["pictures/a.jpg", "takeout/a.jpg"]
    assert photo.description == "told by Google"
    assert photo.state == Photo.State.COMPLETED
    before = photo.renditions_at
    album.put("takeout2/a.jpg", 1)
    album.put("takeout2/a.jpg.json", note("a.jpg", description="told by Google"))
    album.take_in()
    photo.refresh_from_db()
    assert photo.renditions_at == before, "the same note twice is no reason to read again"


def test_a_copy_in_the_same_batch_tells_it_too(album: Album, engines: Engines) -> None:
    album.put("a/a.jpg", 1)
    album.put("b/a.jpg", 1)
    album.put("b/a.jpg.json", note("a.jpg", description="told by Google"))
    album.take_in()
    assert album.photo("a/a.jpg").description == "told by Google"
    assert Photo.objects.get().state == Photo.State.COMPLETED


def test_notes_of_a_closed_folder_do_not_tell_on_an_open_one(album: Album, tmp_path: Any) -> None:
    closed = Album(tmp_path / "closed")
    closed.put("a.jpg", 1)
    closed.put("a.jpg.json", note("a.jpg", description="secret"))
    closed.scan()
    RootViewer.objects.create(root=Root.objects.get(), user=make_user())
    closed.read()
    assert Photo.objects.get().description == "secret"
    album.put("a.jpg", 1)
    album.scan()
    album.read()
    Photo.objects.update(state=Photo.State.PENDING)
    album.read()
    assert Photo.objects.get().description == ""


def test_regions_become_labels_of_the_faces_there(album: Album, engines: Engines) -> None:
    body = mwg(0.5, 0.5, 0.22, 0.2, applied(96, 64))
    album.put("a.jpg", 1)
    album.put("a.jpg.xmp", packet(body))
    album.put("b.jpg", 2)
    album.put("b.xmp", packet(mwg(0.1, 0.1, 0.1, 0.1, name="Ben")))
    album.take_in()
    assert [(label.person.name, label.engine) for label in FaceLabel.objects.all()] == [("Anna", "mwg")]
    waiting = ImportedName.objects.get(face=None)
    assert (waiting.name, waiting.photo) == ("Ben", album.photo("b.jpg"))
    assert found("person:ben") == {album.photo("b.jpg").pk}


def test_a_face_that_is_found_later_takes_the_name(album: Album, engines: Engines) -> None:
    engines.absent.add("faces")
    album.put("a.jpg", 1)
    album.put("a.jpg.xmp", packet(mwg(0.5, 0.5, 0.2, 0.2)))
    album.take_in()
    assert not FaceLabel.objects.exists()
    engines.absent.clear()
    album.process()
    assert FaceLabel.objects.get().person == Person.objects.get(name="Anna")


def test_picasa_s_faces_are_taken(album: Album, engines: Engines) -> None:
    text = "[Contacts2]\n1=Anna;;\n[a.jpg]\ncaption=Hello\nfaces=rect64(6666666699999999),1\n"
    album.put("a.jpg", 1)
    album.put(".picasa.ini", text.encode())
    album.take_in()
    assert album.photo("a.jpg").description == "Hello"
    assert FaceLabel.objects.get().person.name == "Anna"


def test_originals_and_their_companions_stay_as_they_are(album: Album, engines: Engines) -> None:
    album.put("a.jpg", jpeg(1))
    album.put("a.jpg.json", note("a.jpg"))
    album.put("metadata.json", b'{"title": "Trip"}')
    before = album.prints()
    album.take_in()
    assert album.prints() == before


@pytest.mark.parametrize("broken", [b"{", b"[" * 9000, b"\x00" * 99, b'{"photoTakenTime": [], "people": 3}'])
def test_broken_companions_do_not_fail_the_photo(album: Album, engines: Engines, broken: bytes) -> None:
    album.put("a.jpg", 1)
    for name in ("a.jpg.json", "a.jpg.xmp", ".picasa.ini", "metadata.json"):
        album.put(name, broken)
    album.take_in()
    assert album.photo("a.jpg").state == Photo.State.COMPLETED


def test_a_motion_photo_has_its_video(album: Album) -> None:
    data, video = motion_photo()
    album.put("a.jpg", data)
    album.scan()
    album.read()
    part = VideoPart.objects.get()
    assert (part.kind, data[part.offset :][: part.length]) == ("motion", video)
    album.put("a.jpg", 1)
    album.scan()
    album.read()
    assert not VideoPart.objects.exists(), "what was edited away is gone"


def test_a_live_photo_has_the_video_beside_it(album: Album) -> None:
    album.put("2019/IMG_1.JPG", apple(SHOT))
    album.put("2019/img_1.mov", movie(SHOT))
    album.put("2019/IMG_2.JPG", apple(SHOT, seed=2))
    album.put("2019/IMG_2.MOV", movie("11111111-2222-3333-4444-555555555555"))
    session = album.scan()
    album.read()
    part = VideoPart.objects.get()
    assert part.photo == album.photo("2019/IMG_1.JPG")
    assert (part.kind, bytes(part.relative_path or b"")) == ("live", b"2019/img_1.mov")
    assert session.skipped == 2, "videos are left out as before"


def test_offsets_are_borrowed_while_reading(album: Album) -> None:
    make = {"010f": "Canon", "0110": "EOS"}
    album.put("a.jpg", camera("2019:07:04 12:00:00", **make))
    album.put("b.jpg", camera("2019:07:04 13:00:00", exif_9011="+02:00", **make))
    album.scan()
    album.read()
    photo = album.photo("a.jpg")
    assert (photo.taken_offset_minutes, photo.taken_offset_source) == (120, "camera")


def test_a_corrected_time_outlives_reading(album: Album) -> None:
    album.put("a.jpg", camera("2019:07:04 12:00:00"))
    album.scan()
    album.read()
    photo = album.photo("a.jpg")
    correct_times(photo_ids=[photo.pk], actor_id=None, offset_minutes=60)
    Photo.objects.update(state=Photo.State.PENDING)
    album.read()
    photo.refresh_from_db()
    assert (photo.taken_offset_minutes, photo.taken_offset_source) == (60, "person")


def test_screenshots_are_found_by_their_type(album: Album, engines: Engines) -> None:
    album.put("Screenshot_20190101-120000.jpg", 1)
    album.put("IMG_20190101_120000_BURST001.jpg", 2)
    album.take_in()
    assert found("type:screenshot") == {album.photo("Screenshot_20190101-120000.jpg").pk}
    assert album.photo("IMG_20190101_120000_BURST001.jpg").burst == "name 20190101_120000"
    assert found("type:motion") == set()
