from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vision.imaging.dates import (
    Moment,
    is_plausible,
    offset_by_satellite,
    parse_date,
    parse_file_name,
    parse_iptc,
    parse_offset,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019:07:04 12:34:56", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("2019-07-04T12:34:56.789+02:00", Moment(datetime(2019, 7, 4, 12, 34, 56, 789000), 120)),
        ("2019-07-04T12:34:56Z", Moment(datetime(2019, 7, 4, 12, 34, 56), 0)),
        ("2019/07/04 12:34", Moment(datetime(2019, 7, 4, 12, 34))),
        (" 2019:07:04 ", Moment(datetime(2019, 7, 4, 12))),
        ("2019:07:04 12:34:60", Moment(datetime(2019, 7, 4, 12, 34, 59))),
    ],
)
def test_dates(text: str, expected: Moment) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "2019:13:04 12:34:56",
        "2019:06:31",
        "yesterday",
        "",
        "2019",
        "    :  :     :  :  ",
    ],
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        parse_date(text)


def test_years_and_months_alone_are_allowed_in_xmp() -> None:
    assert parse_date("1965", partial=True).local == datetime(1965, 1, 1, 12)
    assert parse_date("1965-05", partial=True).local == datetime(1965, 5, 1, 12)


def test_subseconds_and_offset_from_their_own_tags() -> None:
    moment = parse_date("2019:07:04 12:34:56", subsecond=" 07 ", offset="-03:30")
    assert moment == Moment(datetime(2019, 7, 4, 12, 34, 56, 70000), -210)
    assert parse_date("2019:07:04 12:34:56", subsecond="??", offset="   ").offset is None


def test_offsets() -> None:
    assert [parse_offset(text) for text in ("+05:45", "-0330", "Z", "+00:00")] == [345, -210, 0, 0]
    for text in ("+15:00", "+01:75", "CET", ""):
        with pytest.raises(ValueError, match="offset"):
            parse_offset(text)


def test_iptc() -> None:
    assert parse_iptc("20220110", "151544-0400") == Moment(datetime(2022, 1, 10, 15, 15, 44), -240)
    assert parse_iptc("20090829", "") == Moment(datetime(2009, 8, 29, 12))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20190704_123456.jpg", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("2019-07-04 12.34.56.jpg", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("PXL_20190704_123456789.jpg", Moment(datetime(2019, 7, 4, 12, 34, 56), 0)),
        ("20190704_123456(1).jpg", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("20190704123456.jpg", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("Screenshot_20190704-123456_Maps.png", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("Screenshot 2019-07-04 at 12.34.56.png", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("signal-2019-07-04-12-34-56-789.jpg", Moment(datetime(2019, 7, 4, 12, 34, 56))),
        ("IMG-20190704-WA0001.jpg", Moment(datetime(2019, 7, 4, 12))),
        ("2019-07-04 birthday.jpg", Moment(datetime(2019, 7, 4, 12))),
        ("IMG_1234.jpg", None),
        ("DSC20191350.jpg", None),
        ("IMG_20190704123.jpg", None),
        ("1562243696123.jpg", None),
        ("scan_19991301_20000102.jpg", Moment(datetime(2000, 1, 2, 12))),
    ],
)
def test_file_names(name: str, expected: Moment | None) -> None:
    assert parse_file_name(name) == expected


def test_offset_by_the_clock_of_the_satellites() -> None:
    local = datetime(2023, 2, 21, 14, 33, 8)
    assert offset_by_satellite(local, datetime(2023, 2, 21, 11, 30)) == 180
    assert offset_by_satellite(local, datetime(2023, 2, 21, 8, 49)) == 345
    assert offset_by_satellite(local, datetime(2023, 2, 21, 11, 18)) is None, "no zone is at 3:15"
    assert offset_by_satellite(local, datetime(2023, 2, 23, 11, 30)) is None


def test_unknown_offsets_use_the_zone_of_the_library() -> None:
    moment = Moment(datetime(2019, 7, 4, 12))
    assert moment.at(ZoneInfo("Europe/Berlin")) == datetime(2019, 7, 4, 10, tzinfo=UTC)
    assert Moment(moment.local, -60).at(ZoneInfo("Europe/Berlin")) == datetime(2019, 7, 4, 13, tzinfo=UTC)


def test_plausible() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert is_plausible(Moment(datetime(2026, 11, 20, 20)), now)
    assert not is_plausible(Moment(datetime(2026, 11, 22)), now)
    assert not is_plausible(Moment(datetime(1800, 1, 1)), now)
