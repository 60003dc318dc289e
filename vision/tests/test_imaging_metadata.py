from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from vision.imaging.formats import extension_of, kind_of
from vision.imaging.gazetteer import names_at
from vision.imaging.metadata import PhotoMetadata, read_metadata, sidecar_names
from vision.imaging.text import clean_text, json_value
from vision.tests.imaging_support import ASSETS, assets, encoded, quarters

NOW = datetime(2026, 11, 20, tzinfo=UTC)
UINT32 = st.integers(0, 2**32 - 1)
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]


def photo(kind: str = "JPEG", **tags: object) -> bytes:
    """A picture with EXIF: ``Name=value`` in the main block, ``exif_0x…`` and ``gps_…`` in theirs."""
    exif = Image.Exif()
    for name, value in tags.items():
        block, _, number = name.rpartition("_")
        target = {"": exif, "exif": exif.get_ifd(0x8769), "gps": exif.get_ifd(0x8825)}[block]
        target[int(number, 16)] = value
    return encoded(quarters(), kind, exif=exif.tobytes())


def rdf(body: str = "", **attributes: str) -> bytes:
    names = {"xmp": "http://ns.adobe.com/xap/1.0/", "exif": "http://ns.adobe.com/exif/1.0/"}
    names |= {"dc": "http://purl.org/dc/elements/1.1/", "photoshop": "http://ns.adobe.com/photoshop/1.0/"}
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    given_ = " ".join(f'{name.replace("_", ":")}="{value}"' for name, value in attributes.items())
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {spaces} {given_}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def read(data: bytes, **options: object) -> PhotoMetadata:
    return read_metadata(data, **{"now": NOW, **options})


@pytest.mark.parametrize("kind", FORMATS)
def test_exif_of_every_format(kind: str) -> None:
    data = photo(
        kind,
        **{
            "010f": "Maker\x00junk",
            "0110": "Model",
            "exif_9003": "2019:07:04 12:34:56",
            "exif_9291": "78",
            "exif_9011": "+02:00",
            "exif_8827": 200,
            "exif_829a": TiffImagePlugin.IFDRational(1, 250),
            "exif_a434": "50mm f/1.8",
            "gps_1": "S",
            "gps_2": (33.0, 51.0, 24.0),
            "gps_3": "E",
            "gps_4": (151.0, 12.0, 36.0),
            "gps_5": b"\x01",
            "gps_6": 12.5,
        },
    )
    metadata = read(data)
    assert metadata.taken_at == datetime(2019, 7, 4, 10, 34, 56, 780000, tzinfo=UTC)
    assert metadata.taken_local == datetime(2019, 7, 4, 12, 34, 56, 780000)
    assert (metadata.offset_minutes, metadata.taken_source) == (120, "exif")
    assert (metadata.latitude, metadata.longitude, metadata.altitude) == (-33.8566667, 151.21, -12.5)
    assert (metadata.camera_make, metadata.camera_model, metadata.lens) == ("Maker", "Model", "50mm f/1.8")
    assert (metadata.exif["ISOSpeedRatings"], metadata.exif["ExposureTime"]) == (200, 0.004)
    assert metadata.warnings == ()


def test_priority_of_dates() -> None:
    xmp = rdf(xmp_CreateDate="2002-01-01T12:00:00")
    everything = encoded(
        quarters(),
        exif=_exif({0x9003: "2001:01:01 12:00:00", 0x9004: "2003:01:01 12:00:00"}),
        xmp=xmp,
    )
    options = {
        "file_name": "IMG_20060101_120000.jpg",
        "file_mtime": datetime(2008, 1, 1, tzinfo=UTC).timestamp(),
    }
    sidecar = rdf(photoshop_DateCreated="2000-01-01T12:00:00+01:00")
    digitized = encoded(quarters(), exif=_exif({0x9004: "2003:01:01 12:00:00"}))
    plain = encoded(quarters())
    years = [
        (read(everything, sidecar=sidecar, **options), 2000, "xmp"),
        (read(everything, **options), 2001, "exif"),
        (
            read(encoded(quarters(), exif=_exif({0x9004: "2003:01:01 12:00:00"}), xmp=xmp), **options),
            2002,
            "xmp",
        ),
        (read(digitized, **options), 2003, "exif"),
        (read(plain, **options), 2006, "filename"),
        (read(plain, **{**options, "file_name": "b.jpg"}), 2008, "file"),
    ]
    for metadata, year, source in years:
        assert (metadata.taken_local.year, metadata.taken_source) == (year, source)
    assert read(plain).taken_at is None


def _exif(tags: dict[int, object]) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update(tags)
    return exif.tobytes()


def test_gps_clock_tells_the_offset_or_the_date() -> None:
    gps = {"gps_1d": "2019:07:04", "gps_7": (10.0, 30.0, 12.0)}
    with_both = read(photo(**{"exif_9003": "2019:07:04 12:34:56"}, **gps))
    assert (with_both.offset_minutes, with_both.taken_source) == (120, "exif")
    assert with_both.taken_at == datetime(2019, 7, 4, 10, 34, 56, tzinfo=UTC)
    alone = read(photo(**gps), fallback_timezone=ZoneInfo("Asia/Tokyo"))
    assert (alone.taken_source, alone.offset_minutes) == ("gps", None)
    assert alone.taken_at == datetime(2019, 7, 4, 10, 30, 12, tzinfo=UTC)
    assert alone.taken_local == datetime(2019, 7, 4, 19, 30, 12)


def test_unknown_offset_uses_the_fallback_zone() -> None:
    metadata = read(
        photo(**{"exif_9003": "2019:07:04 12:34:56"}), fallback_timezone=ZoneInfo("Europe/Berlin")
    )
    assert (metadata.offset_minutes, metadata.taken_local) == (None, datetime(2019, 7, 4, 12, 34, 56))
    assert metadata.taken_at == datetime(2019, 7, 4, 10, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "1700:01:01 00:00:00", "2090:01:01 00:00:00", "soon"]
)
def test_impossible_dates_are_dropped_and_named(date: str) -> None:
    metadata = read(photo(exif_9003=date), file_name="IMG_20190704_123456.jpg")
    assert metadata.taken_source == "filename"
    assert any("DateTimeOriginal" in warning for warning in metadata.warnings)


def test_a_broken_offset_does_not_cost_the_date() -> None:
    metadata = read(photo(exif_9003="2019:07:04 12:34:56", exif_9011="nonsense"))
    assert (metadata.taken_local, metadata.offset_minutes) == (datetime(2019, 7, 4, 12, 34, 56), None)


@pytest.mark.parametrize(
    "latitude", [(0.0, 0.0, 0.0), (91.0, 0.0, 0.0), (TiffImagePlugin.IFDRational(0, 0),) * 3]
)
def test_impossible_places_are_dropped_and_named(latitude: tuple[object, ...]) -> None:
    metadata = read(photo(gps_1="N", gps_2=latitude, gps_3="E", gps_4=(0.0, 0.0, 0.0)))
    assert (metadata.latitude, metadata.longitude, metadata.altitude) == (None, None, None)
    assert any(warning.startswith("GPS") for warning in metadata.warnings)


def test_words_from_xmp_and_sidecar() -> None:
    body = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A day out</rdf:li></rdf:Alt></dc:title>'
        "<dc:subject><rdf:Bag><rdf:li>Sea</rdf:li><rdf:li>sea</rdf:li><rdf:li>Boat</rdf:li></rdf:Bag></dc:subject>"
        "<dc:description>Where we went &amp; why</dc:description>"
    )
    data = encoded(quarters(), xmp=rdf(body, xmp_Rating="4"))
    metadata = read(data)
    assert (metadata.title, metadata.description, metadata.rating) == ("A day out", "Where we went & why", 4)
    assert metadata.keywords == ("Sea", "Boat")
    corrected = read(data, sidecar=rdf("<dc:title>Corrected</dc:title>", xmp_Rating="5"))
    assert (corrected.title, corrected.rating, corrected.keywords) == ("Corrected", 5, ("Sea", "Boat"))


def test_places_have_the_names_somebody_wrote_or_those_of_their_position() -> None:
    position = {"gps_1": "N", "gps_2": (48.0, 51.0, 30.0), "gps_3": "E", "gps_4": (2.0, 17.0, 40.0)}
    assert read(photo(**position)).place_names == ("Paris", "Île-de-France", "France")
    assert read(encoded(quarters())).place_names == ("", "", "")
    country = rdf(photoshop_Country="Frankreich")
    assert read(encoded(quarters()), sidecar=country).place_names == ("", "", "Frankreich")
    assert read(photo(**position), sidecar=country).place_names == ("Paris", "Île-de-France", "France")
    city = rdf(photoshop_City="Champ de Mars", photoshop_State="Paris")
    assert read(photo(**position), sidecar=city).place_names == ("Champ de Mars", "Paris", "")


@pytest.mark.parametrize(
    ("position", "names"),
    [
        ((48.1374, 11.5755), ("Munich", "Bavaria", "Germany")),
        ((48.88, 2.27), ("Neuilly-sur-Seine", "Île-de-France", "France")),
        ((-23.0, 133.0), ("", "Northern Territory", "Australia")),
        ((30.0, -40.0), ("", "", "")),
        ((90.0, 180.0), ("", "", "")),
    ],
)
def test_positions_belong_to_the_city_whose_reach_they_are_in(
    position: tuple[float, float], names: tuple[str, str, str]
) -> None:
    assert names_at(*position) == names


@pytest.mark.parametrize(
    ("rating", "expected"), [("-1", 0), ("0", 0), ("3.0", 3), ("5", 5), ("99", None), ("x", None)]
)
def test_ratings(rating: str, expected: int | None) -> None:
    assert read(encoded(quarters()), sidecar=rdf(xmp_Rating=rating)).rating == expected


def test_what_cameras_write_by_themselves_is_no_description() -> None:
    assert read(photo(**{"010e": "OLYMPUS DIGITAL CAMERA   "})).description == ""
    assert read(photo(**{"010e": "Anna in the garden"})).description == "Anna in the garden"


def test_place_from_a_sidecar() -> None:
    sidecar = rdf(
        exif_GPSLatitude="40,14.0786450N", exif_GPSLongitude="76,17,13.7W", exif_GPSAltitude="281/10"
    )
    metadata = read(encoded(quarters()), sidecar=sidecar)
    assert metadata.latitude == pytest.approx(40.23464, abs=1e-5)
    assert metadata.longitude == pytest.approx(-76.28714, abs=1e-5)
    assert metadata.altitude == 28.1


@pytest.mark.parametrize(
    "packet",
    [
        b"<x:xmpmeta",
        b"\xff\xfe<",
        b"not xml at all",
        b'<!DOCTYPE a [<!ENTITY b "c">]><rdf:RDF xmlns:rdf="r">&b;</rdf:RDF>',
    ],
)
def test_broken_xmp_is_a_warning(packet: bytes) -> None:
    metadata = read(encoded(quarters()), sidecar=packet)
    assert metadata.warnings
    assert metadata.warnings[0].startswith("sidecar")


def test_sidecar_names() -> None:
    assert sidecar_names(b"caf\xe9.jpg") == [
        b"caf\xe9.jpg.xmp",
        b"caf\xe9.xmp",
        b"caf\xe9.jpg.XMP",
        b"caf\xe9.XMP",
    ]
    assert sidecar_names(b"plain") == [b"plain.xmp", b"plain.XMP"]


def test_text_is_fit_for_the_database() -> None:
    assert clean_text("\x00a\x00rest") == "a"
    assert clean_text("a\ud800b\x07c\r\nd ") == "abc\nd"
    assert clean_text(b"caf\xe9") == "café"
    assert clean_text("caf\u00e9".encode()) == "café"
    assert clean_text(None) == clean_text((1, 2)) == ""


def test_values_are_fit_for_json() -> None:
    assert json_value((1, 2.5, "a\x00b")) == [1, 2.5, "a"]
    for value in (float("nan"), float("inf"), b"bytes", (float("nan"),), None, "", True):
        assert json_value(value) is None


def check(metadata: PhotoMetadata) -> None:
    text = json.dumps(dict(metadata.exif), allow_nan=False)
    strings = [
        text,
        *metadata.keywords,
        *metadata.warnings,
        metadata.title,
        metadata.description,
        metadata.lens,
    ]
    for value in strings:
        assert "\x00" not in value
        value.encode()
    if metadata.taken_at is not None:
        assert metadata.taken_at.utcoffset() == NOW.utcoffset()
        assert metadata.taken_local.tzinfo is None


RICH = {
    kind: photo(kind, **{"exif_9003": "2019:07:04 12:34:56", "010f": "Maker", "gps_1": "N"})
    for kind in FORMATS
}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(FORMATS), st.data())
def test_damaged_metadata_never_raises(kind: str, data: st.DataObject) -> None:
    content = bytearray(RICH[kind])
    for position in data.draw(st.lists(st.integers(0, min(600, len(content) - 1)), max_size=10)):
        content[position] = data.draw(st.integers(0, 255))
    for extension in ("jpg", "dng"):
        check(read(bytes(content[: data.draw(st.integers(0, len(content)))]), extension=extension))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.binary(max_size=300),
    st.binary(max_size=100),
    st.text(max_size=40),
    st.sampled_from(["jpg", "nef", ""]),
)
def test_any_bytes_and_any_names_never_raise(data: bytes, sidecar: bytes, name: str, extension: str) -> None:
    check(read(data, sidecar=sidecar, file_name=name, extension=extension, file_mtime=1e9))
    check(
        read(
            b"II*\x00" + data, sidecar=rdf(data.decode("latin-1")), file_name=name.encode("utf-8", "replace")
        )
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=30), st.tuples(UINT32, UINT32), st.text(max_size=30))
def test_any_values_in_exif_and_xmp_never_raise(text: str, ratio: tuple[int, int], other: str) -> None:
    number = TiffImagePlugin.IFDRational(*ratio)
    ascii_text = text.encode("ascii", "ignore").decode()
    check(
        read(
            photo(exif_9003=ascii_text, exif_9291=ascii_text, gps_2=(number,) * 3, gps_4=(1.0,), gps_6=number)
        )
    )
    escaped = "".join(f"&#{ord(character)};" for character in other)
    check(read(b"", sidecar=rdf(exif_DateTimeOriginal=escaped, xmp_Rating=escaped, exif_GPSLatitude=escaped)))


@pytest.mark.parametrize("mtime", [float("nan"), float("inf"), -1e18, 1e18, 0.0])
def test_any_file_date(mtime: float) -> None:
    check(read(encoded(quarters()), file_mtime=mtime, fallback_timezone=ZoneInfo("Pacific/Kiritimati")))


class TestRealPhotos:
    pytestmark = assets
    folder = ASSETS / "immich_public_domain" / "metadata"

    def of(self, *parts: str, **options: object) -> PhotoMetadata:
        path = Path(self.folder, *parts)
        return read(path.read_bytes(), extension=extension_of(path.name), file_name=path.name, **options)

    def test_dates(self) -> None:
        assert self.of("dates", "date-priority-test.jpg").taken_local == datetime(2023, 2, 2, 2)
        assert self.of("dates", "datetimeoriginal-gps.jpg").taken_local == datetime(2025, 12, 1, 11, 30)
        gps = self.of("dates", "gps-datetime.jpg")
        assert (gps.taken_at, gps.taken_source) == (datetime(2023, 11, 15, 12, 30, tzinfo=UTC), "gps")
        assert self.of("dates", "time-created.jpg").taken_at is None, "a time without a date is no date"

    @pytest.mark.parametrize("year", [2000, 2010, 2020])
    def test_sidecars_in_utf16(self, year: int) -> None:
        sidecar = (self.folder / "xmp" / "dates" / f"{year}.xmp").read_bytes()
        metadata = self.of("dates", "date-priority-test.jpg", sidecar=sidecar)
        assert (metadata.taken_local.year, metadata.offset_minutes, metadata.taken_source) == (
            year,
            120,
            "xmp",
        )

    def test_places(self) -> None:
        springs = self.of("gps-position", "thompson-springs.jpg")
        assert (springs.latitude, springs.longitude) == (39.115, -108.4009683)
        assert "utah" in springs.keywords
        empty = self.of("gps-position", "empty_gps.jpg")
        assert empty.latitude is None
        assert empty.warnings == ("GPS: the position is not a place on Earth",)

    def test_rating_title_keywords(self) -> None:
        rated = self.of("rating", "mongolels.jpg")
        assert (rated.rating, rated.title, rated.camera_model) == (3, "Mongol Els", "Canon EOS 500D")
        assert self.of("tags", "picasa.jpg").keywords == ("Frost", "Yard")
        assert self.of("faces", "portrait-orientation-6.jpg").orientation == 6

    def test_raw(self) -> None:
        data = (ASSETS / "raw_live_mit" / "test.dng").read_bytes()
        metadata = read(data, extension="dng")
        assert metadata.taken_at == datetime(2024, 7, 4, 19, 45, 43, 691465, tzinfo=UTC)
        assert (metadata.offset_minutes, metadata.camera_model, metadata.orientation) == (120, "Pixel 7", 8)
        assert metadata.lens == "Pixel 7 back camera 6.81mm f/1.9"
        for size in (100, 3_000, len(data) // 2):
            check(read(data[:size], extension="dng"))

    def test_nothing_among_the_photos_breaks_it(self) -> None:
        for path in ASSETS.rglob("*"):
            if path.is_file() and kind_of(path.name) in ("photo", "sidecar"):
                data = path.read_bytes()
                check(
                    read(
                        data,
                        extension=extension_of(path.name),
                        sidecar=data if path.suffix == ".xmp" else None,
                    )
                )


def test_metadata_of_a_png_behind_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    data = encoded(quarters(), "PNG", exif=exif)
    start = data.index(b"eXIf") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    end = data.index(b"IEND") - 4
    moved = data[:start] + data[start + length : end] + data[start : start + length] + data[end:]
    assert Image.open(BytesIO(moved)).info.get("exif") is None
    assert read(moved).camera_make == "Maker"
