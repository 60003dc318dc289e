"""What Takeout, Picasa, Lightroom, digiKam and others lay beside and into photos."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.imaging import takeout
from vision.imaging.companions import Companions, companions_of
from vision.imaging.folders import look_into
from vision.imaging.metadata import PhotoMetadata, read_metadata
from vision.imaging.picasa import PicasaEntry, parse_entry
from vision.imaging.regions import NamedPerson
from vision.results import Box
from vision.tests.imaging_support import ASSETS, encoded, oriented, quarters
from vision.tests.test_imaging_metadata import photo, rdf

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
SPACES = (
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
    'xmlns:MP="http://ns.microsoft.com/photo/1.2/" '
    'xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" '
    'xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" '
    'xmlns:iptcExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def packet(body: str) -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" {SPACES}>'
        f"{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def note(title: str = "IMG_1.jpg", taken: int | str = 1_562_243_696, **more: Any) -> bytes:
    values = {"title": title, "photoTakenTime": {"timestamp": str(taken)}} | more
    return json.dumps(values).encode()


def read(data: bytes | None = None, **options: Any) -> PhotoMetadata:
    return read_metadata(encoded(quarters()) if data is None else data, **{"now": NOW, **options})


def beside(folder: Path, name: str) -> Companions:
    return companions_of([os.fsencode(folder / name)])


# Names. The right hand sides are what exports were seen to hold.
LONG = "Screenshot_20220207_102421_com.snapchat.android.jpg"


@pytest.mark.parametrize(
    ("name", "json_name", "title"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("Screenshot_2017-07-05-10-05-26.png", "Screenshot_2017-07-05-10-05-26.png.supplementa.json", ""),
        (
            "D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg",
            "D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg.supp.json",
            "",
        ),
        (LONG, "Screenshot_20220207_102421_com.snapchat.androi.json", LONG),
        ("IMG_1(1).jpg", "IMG_1.jpg(1).json", "IMG_1.jpg"),
        ("IMG_1(12).jpg", "IMG_1.jpg.supplemental-metadata(12).json", "IMG_1.jpg"),
        (
            "123456789123456789123456789123456789_DSCN0091(1).JPG",
            "123456789123456789123456789123456789_DSCN0091.(1).json",
            "123456789123456789123456789123456789_DSCN0091.JPG",
        ),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1-modifié(2).jpg", "IMG_1.jpg(2).json", "IMG_1.jpg"),
        ("IMG_1-編集済み.jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("scan.jpg", "scan.json", "scan"),
        ("IMG_1.jpg", "IMG_1.HEIC.supplemental-metadata.json", "IMG_1.HEIC"),
        ("IMG_2.HEIC", "IMG_2.MOV.json", "IMG_2.MOV"),
        ("Zoe\u0308.jpg", "Zo\u00eb.jpg.json", "Zo\u00eb.jpg"),
        ("img_3.jpg", "IMG_3.JPG.json", "IMG_3.JPG"),
    ],
)
def test_the_json_of_a_photo_is_found(tmp_path: Path, name: str, json_name: str, title: str) -> None:
    (tmp_path / json_name).write_bytes(note(title or name, description="found"))
    found = beside(tmp_path, name).takeout
    assert found and found.description == "found"


@pytest.mark.parametrize(
    ("name", "json_name", "title"),
    [
        ("IMG_1.jpg", "IMG_1.json", "IMG_10.jpg"),
        ("IMG_1.jpg", "IMG_1.jpg(1).json", "IMG_1.jpg"),
        ("IMG_1(1).jpg", "IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1(1).jpg", "IMG_1.jpg(2).json", "IMG_1.jpg"),
        (LONG, "Screenshot_20220207_102421_com.snapchat.androi.json", "Screenshot_20220207_other.jpg"),
        ("IMG_1.jpg", "IMG_1.HEIC.json", "IMG_9.HEIC"),
    ],
)
def test_the_json_of_another_photo_is_not_taken(
    tmp_path: Path, name: str, json_name: str, title: str
) -> None:
    (tmp_path / json_name).write_bytes(note(title))
    assert beside(tmp_path, name).takeout is None


def test_a_photos_own_json_comes_before_that_of_its_original(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.jpg.json").write_bytes(note(description="original"))
    (tmp_path / "IMG_1-edited.jpg.json").write_bytes(note("IMG_1-edited.jpg", description="own"))
    found = beside(tmp_path, "IMG_1-edited.jpg").takeout
    assert found and found.description == "own"


@pytest.mark.parametrize(
    "broken", [b"{", b"\xff\xfe\x00", b"[" * 50_000, b"{}" + b" " * (1 << 20), b'"text"', b'{"a": 1}', b""]
)
def test_a_broken_json_costs_nothing_but_a_warning(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "a.jpg.json").write_bytes(broken)
    (tmp_path / "metadata.json").write_bytes(broken)
    found = beside(tmp_path, "a.jpg")
    assert found.takeout is None
    assert found.albums == ()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg.json")
    (tmp_path / "b.jpg.json").mkdir()
    (tmp_path / "c.jpg.json").symlink_to("nowhere")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        assert beside(tmp_path, name).takeout is None
    assert beside(tmp_path / "missing", "a.jpg") == Companions()


@given(st.binary(max_size=200), st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_bytes_and_no_names_make_it_raise(data: bytes, name: str) -> None:
    for parse in (takeout.parse_note, takeout.parse_album):
        try:
            parse(data)
        except ValueError:
            continue
    assert list(takeout.candidates(name))
    parse_entry(data, name)


@given(
    st.dictionaries(
        st.sampled_from(["title", "description", "photoTakenTime", "geoData", "geoDataExif", "people"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["timestamp", "latitude", "longitude", "name"]), inner, max_size=4
                )
            ),
            max_leaves=6,
        ),
    )
)
@settings(max_examples=200, deadline=None)
def test_values_of_any_type_are_survived(values: dict[str, Any]) -> None:
    found = takeout.parse_note(json.dumps(values).encode())
    read(takeout=found)


# What it says.
def test_what_a_note_says() -> None:
    found = takeout.parse_note(
        note(
            description="On the beach\x00",
            people=[{"name": "Anna"}, {"name": ""}, {"name": "Anna"}, "junk", {"name": "Ben"}],
            geoData={"latitude": 48.5, "longitude": 2.25, "altitude": 35.0},
            favorited=True,
        )
    )
    assert found is not None
    result = read(takeout=found)
    assert result.description == "On the beach"
    assert [(one.name, one.box, one.source) for one in result.people] == [
        ("Anna", None, "takeout"),
        ("Ben", None, "takeout"),
    ]
    assert (result.latitude, result.longitude, result.altitude) == (48.5, 2.25, 35.0)
    assert result.keywords == ("favourite",)
    assert result.taken_source == "takeout"
    assert result.taken_at == datetime(2019, 7, 4, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize("taken", [0, "0", "", "junk", "99999999999999", "nan"])
def test_an_unknown_date_is_no_date(taken: Any) -> None:
    found = takeout.parse_note(note(taken=taken))
    assert found and found.taken is None or read(takeout=found).taken_at is None


def test_dates_before_1970() -> None:
    assert read(takeout=takeout.parse_note(note(taken=-86_400))).taken_at == datetime(
        1969, 12, 31, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "geo",
    [{"latitude": 0.0, "longitude": 0.0}, {"latitude": 91, "longitude": 0}, {"latitude": "x"}, [], None],
)
def test_no_place_is_no_place(geo: Any) -> None:
    assert read(takeout=takeout.parse_note(note(geoData=geo))).latitude is None


def camera(local: str, **more: Any) -> bytes:
    return photo(exif_9003=local, **more)


@pytest.mark.parametrize(
    ("local", "offset", "source", "offset_source"),
    [
        ("2019:07:04 14:34:56", 120, "exif", "takeout"),
        ("2019:07:04 18:04:56", 330, "exif", "takeout"),
        # Google takes a clock without a zone for UTC: nothing is learnt from that.
        ("2019:07:04 12:34:56", None, "exif", None),
        # No zone is 7 minutes off: the clock was wrong, or is; it stays.
        ("2019:07:04 12:41:56", None, "exif", None),
        # Another day: somebody set the date in Google Photos.
        ("2001:01:01 00:00:00", None, "takeout", None),
    ],
)
def test_the_camera_tells_the_clock_and_google_its_zone(
    local: str, offset: int | None, source: str, offset_source: str | None
) -> None:
    result = read(camera(local), takeout=takeout.parse_note(note()))
    assert (result.offset_minutes, result.taken_source, result.offset_source) == (
        offset,
        source,
        offset_source,
    )


def test_a_sidecar_outranks_google() -> None:
    sidecar = rdf(exif_DateTimeOriginal="2005-05-05T05:05:05")
    result = read(sidecar=sidecar, takeout=takeout.parse_note(note()))
    assert (result.taken_source, result.taken_local) == ("xmp", datetime(2005, 5, 5, 5, 5, 5))


@pytest.mark.parametrize("name", ["IMG_20190101_101010.jpg", "photo.jpg"])
def test_google_outranks_names_and_file_dates(name: str) -> None:
    result = read(file_name=name, file_mtime=1.6e9, takeout=takeout.parse_note(note()))
    assert result.taken_source == "takeout"


def test_a_name_that_tells_the_same_moment_keeps_the_clock_on_the_wall() -> None:
    result = read(file_name="IMG_20190704_143456.jpg", takeout=takeout.parse_note(note()))
    assert (result.taken_source, result.offset_minutes) == ("filename", 120)
    assert result.taken_local == datetime(2019, 7, 4, 14, 34, 56)


def gps(latitude: float, longitude: float) -> dict[str, Any]:
    return {
        "gps_0001": "N",
        "gps_0002": (latitude, 0.0, 0.0),
        "gps_0003": "E",
        "gps_0004": (longitude, 0.0, 0.0),
    }


def test_the_camera_s_place_counts_unless_it_was_corrected() -> None:
    here, there = {"latitude": 48.0, "longitude": 2.0}, {"latitude": 52.5, "longitude": 13.4}
    same = takeout.parse_note(note(geoData=there))
    assert read(photo(**gps(48, 2)), takeout=same).latitude == 48
    moved = takeout.parse_note(note(geoData=there, geoDataExif=here))
    assert read(photo(**gps(48, 2)), takeout=moved).latitude == 52.5


# Albums.
@pytest.mark.parametrize(
    ("name", "content", "albums"),
    [
        ("metadata.json", {"title": "Trip", "description": "d", "access": "protected"}, (("Trip", "d"),)),
        ("Metadaten.json", {"albumData": {"title": "Reise"}}, (("Reise", ""),)),
        ("me\u0301tadonne\u0301es.json", {"title": "Voyage"}, (("Voyage", ""),)),
        ("metadata.json", {"title": "Photos from 2019"}, ()),
        ("metadata.json", {"title": "Fotos von 2019"}, ()),
        ("metadata.json", {"title": ""}, ()),
        ("metadata.json", {"title": ["x"]}, ()),
        ("metadata.json", {"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}}, ()),
    ],
)
def test_albums(tmp_path: Path, name: str, content: object, albums: object) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert beside(tmp_path, "a.jpg").albums == albums


# Listings.
def test_a_settled_folder_is_listed_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg.json").write_bytes(note("a.jpg"))
    os.utime(tmp_path, (1e9, 1e9))
    listed = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or real(path))
    for _ in range(3):
        assert look_into(os.fsencode(tmp_path)).find(["a.jpg.json"])
    assert len(listed) == 1
    (tmp_path / "b.jpg.json").write_bytes(note("b.jpg"))
    assert look_into(os.fsencode(tmp_path)).find(["b.jpg.json"])


def test_a_folder_that_is_being_written_is_listed_anew(tmp_path: Path) -> None:
    now = time.time_ns()
    for number in range(3):
        (tmp_path / f"{number}.json").write_bytes(b"{}")
        os.utime(tmp_path, ns=(now, now))
        assert look_into(os.fsencode(tmp_path)).find([f"{number}.json"])


# Picasa.
INI = """[Picasa]
name=Trip
[Contacts2]
8e62398ebda8c1a5=Anna Smith;;
00112233=Ben;ben@example.org;
[IMG_1.JPG]
star=yes
caption=On = the beach
keywords=sea, sand,
faces=rect64(3f845bcb59418507),8e62398ebda8c1a5;rect64(20003000),112233;rect64(0000000080008000),ffffffffffffffff
rotate=rotate(1)
[broken
=
[b[1].jpg]
faces=rect64(zz),1;rect64(ffff0000),8e62398ebda8c1a5;nonsense
"""


def test_what_picasa_says() -> None:
    found = parse_entry(INI.replace("\n", "\r\n").encode(), "img_1.jpg")
    assert found is not None
    assert (found.caption, found.keywords, found.starred) == ("On = the beach", ("sea", "sand"), True)
    (anna, box), (ben, other) = found.faces
    assert (anna, ben) == ("Anna Smith", "Ben")
    assert [round(v, 3) for v in (box.x, box.y, box.width, box.height)] == [0.248, 0.359, 0.101, 0.161]
    # Leading zeros are left out: left and top are 0.
    assert (other.x, other.y) == (0, 0)
    result = read(picasa=found)
    assert (result.description, result.keywords) == ("On = the beach", ("sea", "sand", "favourite"))
    assert [(one.name, one.source) for one in result.people] == [("Anna Smith", "picasa"), ("Ben", "picasa")]


def test_faces_that_make_no_sense_are_passed_over() -> None:
    assert parse_entry(INI.encode(), "b[1].jpg") == PicasaEntry()
    assert parse_entry(INI.encode(), "c.jpg") is None


def test_names_of_old_versions_are_in_the_western_code_page(tmp_path: Path) -> None:
    text = "[Contacts]\n1=Zoë;;\n[é.jpg]\nfaces=rect64(1000100030003000),1\n"
    (tmp_path / ".picasa.ini").write_bytes(text.encode("cp1252"))
    found = beside(tmp_path, "é.jpg").picasa
    assert found and found.faces[0][0] == "Zoë"


# Regions.
def mwg(
    x: float, y: float, w: float, h: float, dimensions: str = "", kind: str = "Face", name: str = "Anna"
) -> str:
    area = (
        f'<mwg-rs:Area stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}" stArea:unit="normalized"/>'
    )
    return (
        f'<mwg-rs:Regions rdf:parseType="Resource">{dimensions}<mwg-rs:RegionList><rdf:Bag>'
        f'<rdf:li><rdf:Description mwg-rs:Name="{name}" mwg-rs:Type="{kind}">{area}'
        "</rdf:Description></rdf:li>"
        "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )


def applied(width: int, height: int) -> str:
    return f'<mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>'


def people(
    body: str, data: bytes | None = None, upright: tuple[int, int] = (96, 64)
) -> tuple[NamedPerson, ...]:
    return read(data, sidecar=packet(body), upright=upright).people


def test_regions_of_the_metadata_working_group() -> None:
    assert people(mwg(0.5, 0.25, 0.2, 0.1)) == (NamedPerson("Anna", Box(0.4, 0.2, 0.2, 0.1), "mwg"),)


def test_regions_written_as_elements() -> None:
    body = (
        "<mwg-rs:Regions><rdf:Description><mwg-rs:RegionList><rdf:Seq><rdf:li rdf:parseType='Resource'>"
        "<mwg-rs:Area rdf:parseType='Resource'><stArea:x>0.5</stArea:x><stArea:y>0.25</stArea:y>"
        "<stArea:w>0.2</stArea:w><stArea:h>0.1</stArea:h></mwg-rs:Area><mwg-rs:Name> Anna </mwg-rs:Name>"
        "<dc:description>of the face</dc:description></rdf:li></rdf:Seq></mwg-rs:RegionList>"
        "</rdf:Description></mwg-rs:Regions>"
    )
    assert people(body) == (NamedPerson("Anna", Box(0.4, 0.2, 0.2, 0.1), "mwg"),)
    assert read(sidecar=packet(body)).description == ""


# A face at the top left of the upright picture, as each orientation stores it: centre x, y.
STORED = {
    1: (0.2, 0.1),
    2: (0.8, 0.1),
    3: (0.8, 0.9),
    4: (0.2, 0.9),
    5: (0.1, 0.2),
    6: (0.1, 0.8),
    7: (0.9, 0.8),
    8: (0.9, 0.2),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_of_stored_rows_are_turned(orientation: int) -> None:
    turned = orientation >= 5
    x, y = STORED[orientation]
    w, h = (0.1, 0.2) if turned else (0.2, 0.1)
    dimensions = applied(64, 96) if turned else applied(96, 64)
    for given_ in ("", dimensions):
        (anna,) = people(mwg(x, y, w, h, given_), oriented(quarters(), orientation))
        assert anna.box == Box(0.1, 0.05, 0.2, 0.1)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_regions_of_the_picture_as_seen_are_left_alone(orientation: int) -> None:
    """Picasa, for one, counts so; the dimensions it applied them to say it."""
    (anna,) = people(mwg(0.2, 0.1, 0.2, 0.1, applied(96, 64)), oriented(quarters(), orientation))
    assert anna.box == Box(0.1, 0.05, 0.2, 0.1)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (mwg(0.5, 0.5, 0.2, 0.2, kind="Pet"), ()),
        (mwg(0.5, 0.5, 0.2, 0.2, name=""), ()),
        (mwg(0.0, 0.0, 0.2, 0.2), (Box(0, 0, 0.1, 0.1),)),
        (mwg(5, 5, 0.2, 0.2), (None,)),
        (mwg(0.5, 0.5, 0, 0), (None,)),
        (mwg(0.5, 0.5, 0.2, 0.2).replace('"0.2"', '"wide"'), (None,)),
    ],
)
def test_regions_at_the_edge_and_beyond(body: str, found: tuple[Box | None, ...]) -> None:
    assert tuple(one.box for one in people(body)) == found


def microsoft(rectangle: str) -> str:
    return (
        "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li>"
        f'<rdf:Description MPReg:PersonDisplayName="Anna" MPReg:Rectangle="{rectangle}"/>'
        "</rdf:li></rdf:Bag></MPRI:Regions></rdf:Description></MP:RegionInfo>"
    )


def test_regions_of_microsoft() -> None:
    assert people(microsoft("0.4, 0.2, 0.2, 0.1")) == (
        NamedPerson("Anna", Box(0.4, 0.2, 0.2, 0.1), "microsoft"),
    )
    assert [one.box for one in people(microsoft("0.4, 0.2"))] == [None]


@pytest.mark.parametrize(("unit", "numbers"), [("relative", "0.25 0.25 0.5 0.5"), ("pixel", "24 16 48 32")])
def test_regions_of_iptc(unit: str, numbers: str) -> None:
    x, y, w, h = numbers.split()
    body = (
        "<iptcExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType='Resource'><iptcExt:RegionBoundary "
        f'iptcExt:rbShape="rectangle" iptcExt:rbUnit="{unit}" iptcExt:rbX="{x}" iptcExt:rbY="{y}" '
        f'iptcExt:rbW="{w}" iptcExt:rbH="{h}"/><iptcExt:PersonInImage><rdf:Bag>'
        "<rdf:li>Anna</rdf:li></rdf:Bag></iptcExt:PersonInImage></rdf:li></rdf:Bag></iptcExt:ImageRegion>"
        "<iptcExt:PersonInImage><rdf:Bag><rdf:li>Anna</rdf:li><rdf:li>Ben</rdf:li></rdf:Bag>"
        "</iptcExt:PersonInImage>"
    )
    assert people(body) == (
        NamedPerson("Anna", Box(0.25, 0.25, 0.5, 0.5), "iptc"),
        NamedPerson("Ben", None, "iptc"),
    )


def test_the_same_face_of_two_programs_is_one() -> None:
    assert len(people(mwg(0.5, 0.25, 0.2, 0.1) + microsoft("0.41, 0.2, 0.2, 0.11"))) == 1
    # Microsoft's may have stayed behind when the photo was turned.
    assert len(people(mwg(0.5, 0.25, 0.2, 0.1) + microsoft("0.1, 0.8, 0.1, 0.1"))) == 1
    assert len(people(mwg(0.5, 0.25, 0.2, 0.1, name="Ben") + microsoft("0.1, 0.8, 0.1, 0.1"))) == 2


@pytest.mark.assets
@pytest.mark.skipif(not ASSETS.is_dir(), reason="the real photos of ../shared/assets are not here")
def test_a_turned_photo_names_the_same_places_as_the_upright_one() -> None:
    turned, upright = (next(ASSETS.rglob(name)) for name in ("portrait-orientation-6.jpg", "portrait.jpg"))
    found = read(turned.read_bytes(), upright=(840, 700)).people
    assert [one.name for one in found] == ["Marie Curie", "Pierre Curie"]
    assert found == read(upright.read_bytes(), upright=(840, 700)).people


def test_hierarchical_keywords() -> None:
    body = (
        "<dc:subject><rdf:Bag><rdf:li>Rome</rdf:li></rdf:Bag></dc:subject>"
        "<lr:hierarchicalSubject><rdf:Bag><rdf:li>Places|Italy|Rome</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
        "<digiKam:TagsList><rdf:Seq><rdf:li>Events/Wedding</rdf:li>"
        "<rdf:li>_Digikam_Internal_Tags_/Pick Label</rdf:li></rdf:Seq></digiKam:TagsList>"
    )
    assert read(sidecar=packet(body)).keywords == ("Rome", "Places", "Italy", "Events", "Wedding")


@pytest.mark.parametrize(
    "bomb",
    [
        b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">&c;</x:xmpmeta>',
        packet(
            "<mwg-rs:Regions>"
            + "<rdf:Description>" * 5000
            + "</rdf:Description>" * 5000
            + "</mwg-rs:Regions>"
        ),
        packet("<mwg-rs:Regions>"),
    ],
)
def test_bombs_in_xmp_cost_nothing_but_a_warning(bomb: bytes) -> None:
    result = read(sidecar=bomb)
    assert result.people == ()
    assert result.warnings


# Time zones by position.
class TestByPosition:
    @pytest.fixture(autouse=True)
    def _needs_zones(self) -> None:
        pytest.importorskip("timezonefinder", reason="timezonefinder is not installed")

    def test_a_clock_hung_where_the_photo_was_taken(self) -> None:
        result = read(camera("2019:07:04 14:34:56", **gps(48, 2)))
        assert (result.offset_minutes, result.offset_source) == (120, "position")
        assert result.taken_at == datetime(2019, 7, 4, 12, 34, 56, tzinfo=UTC)
        winter = read(camera("2019:01:04 14:34:56", **gps(48, 2)))
        assert winter.offset_minutes == 60

    def test_what_was_written_with_the_date_counts_more(self) -> None:
        result = read(camera("2019:07:04 14:34:56", exif_9011="+09:00", **gps(48, 2)))
        assert (result.offset_minutes, result.offset_source) == (540, "recorded")

    def test_an_instant_is_shown_by_the_clock_of_the_place(self) -> None:
        found = takeout.parse_note(note(geoData={"latitude": 48.0, "longitude": 2.0}))
        result = read(takeout=found)
        assert result.taken_local == datetime(2019, 7, 4, 14, 34, 56)
        assert (result.offset_minutes, result.offset_source) == (120, "position")

    def test_at_sea_no_clock_is_customary(self) -> None:
        assert read(camera("2019:07:04 14:34:56", **gps(1, 85))).offset_minutes is None
