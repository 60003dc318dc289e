"""Dates as people say them → a range of days. Pure: what day it is comes from the caller.

The text is folded words with one blank between them ("new year's eve 2018" is ``new year s eve 2018``). Years
are needed where a word alone could mean something else: "summer" is what a picture shows, "summer 2019" when.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta
from typing import Final

from search.query.almanac import (
    ENGLISH_MONTHS,
    ENGLISH_SEASONS,
    FEASTS,
    MONTH_NUMBERS,
    SEASON_OF,
    Days,
    feast_of,
    month_of,
    one_day,
    printed,
    season_of,
    year_of,
)

EARLIEST_YEAR: Final = 1826
"""Of the oldest photograph that is left."""

_COUNTED: Final = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS: Final = {word: number for number, word in enumerate(_COUNTED.split(), 1)} | {"a": 1, "an": 1}
_WEEKDAYS: Final = {name.casefold(): number for number, name in enumerate(calendar.day_name)}
_UNITS: Final = ("day", "week", "weekend", "month", "year")


@dataclass(frozen=True, slots=True)
class Now:
    """Today, and whether summer is in December."""

    today: date
    southern: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """What was read up to ``end`` in the text: a field and its value."""

    end: int
    field: str
    value: str


_any = "|".join
_YEAR: Final = r"(?P<year>(?:18|19|20)\d\d)"
_END_YEAR: Final = r"(?P<end>(?:18|19|20)\d\d)"
_MONTH: Final = rf"(?P<month>{_any(sorted(MONTH_NUMBERS, key=len, reverse=True))})"
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_COUNT: Final = rf"(?P<count>\d{{1,3}}|{_any(_NUMBERS)})"
_IN: Final = r"(?:(?:in|on|at|from|during|of|im|am|en|in the|an|au|le|el|il|de|du|der|den) )?"
_SEASON: Final = rf"(?:the )?(?P<season>{_any(SEASON_OF)})"
_FEAST: Final = rf"(?P<feast>{_any(FEASTS.values())})"


def read_moment(text: str, at: int, now: Now) -> Moment | None:
    """The longest moment that begins at this position; None when none does."""
    found = [moment for pattern, read in _PATTERNS if (moment := _match(pattern, read, text, at, now))]
    return max(found, key=lambda moment: moment.end, default=None)


def _match(pattern: re.Pattern[str], read: _Reader, text: str, at: int, now: Now) -> Moment | None:
    match = pattern.match(text, at)
    if match is None:
        return None
    try:
        days = read(match, now)
    except (ValueError, OverflowError):  # 31 February, the year 0
        return None
    if days is None or not EARLIEST_YEAR <= days[0].year <= now.today.year + 1:
        return None
    bound = match.groupdict().get("bound")
    if bound in ("before", "until", "till"):
        value = days[0] if bound == "before" else days[1] + timedelta(days=1)
        return Moment(match.end(), "before", value.isoformat())
    if bound in ("since", "after"):
        return Moment(match.end(), "after", (days[0] if bound == "since" else _next(days[1])).isoformat())
    return Moment(match.end(), "date", printed(days))


def _next(day: date) -> date:
    return day + timedelta(days=1)


_Reader = Callable[[re.Match[str], Now], Days | None]


def _week(day: date) -> Days:
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def _months_back(day: date, months: int) -> Days:
    number = day.year * 12 + day.month - 1 - months
    return month_of(number // 12, number % 12 + 1)


def _read_date(match: re.Match[str], now: Now) -> Days:
    """A year, with a month and a day where they are given by name."""
    found = match.groupdict()
    year = int(found["year"])
    if not found.get("month"):
        return year_of(year)
    month = MONTH_NUMBERS[found["month"]]
    return one_day(date(year, month, int(found["day"]))) if found.get("day") else month_of(year, month)


def _read_numbers(match: re.Match[str], now: Now) -> Days:
    """In numbers; the day comes before the month unless it cannot."""
    year, month, day = int(match["year"]), int(match["first"]), match["second"]
    if day is None:
        return month_of(year, month)
    if match.re is _DAY_FIRST and int(day) <= 12:
        return one_day(date(year, int(day), month))
    return one_day(date(year, month, int(day)))


def _read_recent_month(match: re.Match[str], now: Now) -> Days | None:
    """ "in May", "last May": the last one that began."""
    if match["month"] not in ENGLISH_MONTHS and match["last"] in ("last", "this"):
        return None
    month = MONTH_NUMBERS[match["month"]]
    year = now.today.year - (month > now.today.month)
    return month_of(year - (match["last"] == "last" and month == now.today.month), month)


def _read_season(match: re.Match[str], now: Now) -> Days:
    year, end = int(match["year"]), match["end"]
    if end is not None and int(end) % 100 != (year + 1) % 100:
        raise ValueError("Two years that do not follow one another.")
    return season_of(SEASON_OF[match["season"]], year, southern=now.southern)


def _read_recent_season(match: re.Match[str], now: Now) -> Days:
    """ "this summer" is the last one that began, "last summer" the last one that is over."""
    name = SEASON_OF[match["season"]]
    years = range(now.today.year, now.today.year - 3, -1)
    found = (season_of(name, year, southern=now.southern) for year in years)
    if match["last"] == "this":
        return next(days for days in found if days[0] <= now.today)
    return next(days for days in found if days[1] < now.today)


def _read_feast(match: re.Match[str], now: Now) -> Days:
    if match["year"]:
        return feast_of(match["feast"], int(match["year"]))
    years = range(now.today.year + 1, now.today.year - 3, -1)
    over = (days for year in years if (days := feast_of(match["feast"], year))[1] < now.today)
    return next(over)


def _read_day(match: re.Match[str], now: Now) -> Days:
    back = {"today": 0, "yesterday": 1, "day before yesterday": 2, "last night": 1}[match["name"]]
    day = now.today - timedelta(days=back)
    return (day, now.today) if match["name"] == "last night" else one_day(day)


def _read_unit(match: re.Match[str], now: Now) -> Days:
    """ "this week", "last weekend", "last year"."""
    back, unit = match["last"] != "this", match["unit"]
    if unit == "year":
        return year_of(now.today.year - back)
    if unit == "month":
        return _months_back(now.today, int(back))
    monday, sunday = _week(now.today - timedelta(days=7 * back))
    return (sunday - timedelta(days=1), sunday) if unit == "weekend" else (monday, sunday)


def _read_weekday(match: re.Match[str], now: Now) -> Days:
    """The last one before today."""
    back = (now.today.weekday() - _WEEKDAYS[match["weekday"]] - 1) % 7 + 1
    return one_day(now.today - timedelta(days=back))


def _read_ago(match: re.Match[str], now: Now) -> Days:
    """As exact as it is said: "two years ago" is a year, "three days ago" a day."""
    back, unit = _count(match), match["unit"]
    if unit == "year":
        return year_of(now.today.year - back)
    if unit == "month":
        return _months_back(now.today, back)
    if unit == "weekend":
        _, sunday = _week(now.today - timedelta(days=7 * back))
        return sunday - timedelta(days=1), sunday
    day = now.today - timedelta(days=back * (7 if unit == "week" else 1))
    return _week(day) if unit == "week" else one_day(day)


def _read_last(match: re.Match[str], now: Now) -> Days:
    """ "the last three months": up to today."""
    back, unit = _count(match), match["unit"]
    if unit in ("month", "year"):
        start = _months_back(now.today, back * (12 if unit == "year" else 1))[0]
        last_day = calendar.monthrange(start.year, start.month)[1]
        return start.replace(day=min(now.today.day, last_day)), now.today
    return now.today - timedelta(days=back * (1 if unit == "day" else 7)), now.today


def _count(match: re.Match[str]) -> int:
    return _NUMBERS.get(match["count"]) or int(match["count"])


def _read_decade(match: re.Match[str], now: Now) -> Days:
    digits = match["decade"]
    start = int(digits)
    if len(digits) == 2:
        start += 1900 if start > now.today.year % 100 else 2000
    return date(start, 1, 1), date(start + 9, 12, 31)


def _read_years(match: re.Match[str], now: Now) -> Days:
    first, last = sorted((int(match["year"]), int(match["end"])))
    return date(first, 1, 1), date(min(last, MAXYEAR), 12, 31)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text + r"(?= |$)", re.ASCII)


_BOUND: Final = r"(?P<bound>since|after|before|until|till) "
_DAY_FIRST: Final = _pattern(rf"{_IN}(?P<first>[0-3]?\d) (?P<second>[0-3]?\d) {_YEAR}")
_PATTERNS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (_pattern(rf"(?:{_BOUND}|{_IN}){_YEAR}"), _read_date),
    (_pattern(rf"(?:{_BOUND}|{_IN}){_MONTH}(?: of)? {_YEAR}"), _read_date),
    (_pattern(rf"{_IN}{_YEAR} {_MONTH}"), _read_date),
    (_pattern(rf"(?:{_BOUND}|{_IN})(?:the )?{_DAY}(?: of)? {_MONTH} {_YEAR}"), _read_date),
    (_pattern(rf"(?:{_BOUND}|{_IN}){_MONTH}(?: the)? {_DAY} {_YEAR}"), _read_date),
    (_pattern(rf"{_IN}{_YEAR} (?P<first>[01]\d)(?: (?P<second>[0-3]\d))?"), _read_numbers),
    (_DAY_FIRST, _read_numbers),
    (_pattern(rf"(?:in|(?P<last>last|this)) {_MONTH}"), _read_recent_month),
    (_pattern(rf"{_IN}{_SEASON}(?: of)? {_YEAR}(?: (?P<end>\d\d(?:\d\d)?))?"), _read_season),
    (_pattern(rf"(?:in )?(?P<last>last|this) (?P<season>{_any(ENGLISH_SEASONS)})"), _read_recent_season),
    (_pattern(rf"{_IN}{_FEAST}(?: of)? {_YEAR}"), _read_feast),
    (_pattern(rf"last {_FEAST}(?P<year>)"), _read_feast),
    (_pattern(r"(?:from )?(?P<name>today|yesterday|last night)"), _read_day),
    (_pattern(r"(?:the )?(?P<name>day before yesterday)"), _read_day),
    (_pattern(rf"(?:from |in )?(?P<last>last|this|past) (?P<unit>{_any(_UNITS[1:])})"), _read_unit),
    (_pattern(rf"(?:on )?last (?P<weekday>{_any(_WEEKDAYS)})"), _read_weekday),
    (_pattern(rf"(?:from )?{_COUNT} (?P<unit>{_any(_UNITS)})s? ago"), _read_ago),
    (
        _pattern(rf"(?:in |from |during )?(?:the )?(?:last|past) {_COUNT} (?P<unit>day|week|month|year)s?"),
        _read_last,
    ),
    (_pattern(rf"{_IN}(?:the )?(?P<decade>(?:(?:18|19|20)\d|\d)0)s"), _read_decade),
    (_pattern(rf"(?:from |between )?{_YEAR} (?:to|and|until|till|through) {_END_YEAR}"), _read_years),
)
