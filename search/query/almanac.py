"""The names of days, months, seasons and feasts, and when these are. Pure."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Final

Days = tuple[date, date]
"""The first and the last day."""

#: English, German, French, Spanish, Italian, Dutch; folded.
_MONTHS: Final = (
    "january jan januar janvier janv enero gennaio januari",
    "february feb februar fevrier fevr febrero febbraio februari",
    "march mar marz maerz mars marzo maart",
    "april apr avril abril aprile",
    "may mai mayo maggio mei",
    "june jun juni juin junio giugno",
    "july jul juli juillet julio luglio",
    "august aug aout agosto augustus",
    "september sep sept septembre septiembre settembre",
    "october oct oktober okt octobre octubre ottobre",
    "november nov novembre noviembre",
    "december dec dezember dez decembre diciembre dicembre",
)
MONTH_NUMBERS: Final = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
ENGLISH_MONTHS: Final = frozenset(name for names in _MONTHS for name in names.split()[:2])

_SEASONS: Final = {
    "spring": "spring fruhling fruehling fruhjahr printemps primavera lente voorjaar",
    "summer": "summer sommer ete verano estate zomer",
    "autumn": "autumn fall herbst automne otono autunno herfst",
    "winter": "winter hiver invierno inverno",
}
SEASON_OF: Final = {word: season for season, words in _SEASONS.items() for word in words.split()}
ENGLISH_SEASONS: Final = ("spring", "summer", "autumn", "fall", "winter")
#: The first month of three, in the north and in the south.
_FIRST_MONTH: Final = {"spring": (3, 9), "summer": (6, 12), "autumn": (9, 3), "winter": (12, 6)}

#: Patterns of folded words.
FEASTS: Final = {
    "christmas eve": "christmas eve|heiligabend|heilig abend",
    "christmas": "christmas|xmas|weihnachten|noel|navidad|natale|kerst|kerstmis",
    "new year's eve": "new years? (?:s )?eve|silvester|nye",
    "new year": "new years?(?: s)?(?: day)?|neujahr",
    "easter": "easter|ostern|paques|pascua|pasqua|pasen",
    "halloween": "halloween",
    "valentine's day": "valentines?(?: s)?(?: day)?",
    "thanksgiving": "thanksgiving",
}


def printed(days: Days) -> str:
    """As short as can be: ``2019``, ``2019-06``, ``2019-06..2019-08`` or with days."""
    first, last = days
    whole_months = first.day == 1 and last.day == calendar.monthrange(last.year, last.month)[1]
    if whole_months and (first.month, last.month) == (1, 12):
        start, end = f"{first.year:04}", f"{last.year:04}"
    elif whole_months:
        start, end = f"{first:%Y-%m}", f"{last:%Y-%m}"
    else:
        start, end = first.isoformat(), last.isoformat()
    return start if start == end else f"{start}..{end}"


def month_of(year: int, month: int) -> Days:
    """A month."""
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def year_of(year: int) -> Days:
    """A year."""
    return date(year, 1, 1), date(year, 12, 31)


def one_day(day: date) -> Days:
    """A day."""
    return day, day


def season_of(name: str, year: int, *, southern: bool) -> Days:
    """The one that begins in this year: the winter of 2018 ends in February 2019."""
    first = _FIRST_MONTH[name][southern]
    last = first + 2
    return date(year, first, 1), month_of(year + last // 13, (last - 1) % 12 + 1)[1]


def feast_of(typed: str, year: int) -> Days:
    """A feast by one of its names in ``FEASTS``: that of this year, with the days that belong to it."""
    name = next(name for name, words in FEASTS.items() if re.fullmatch(words, typed))
    if name == "easter":
        sunday = easter(year)
        return sunday - timedelta(days=2), sunday + timedelta(days=1)
    if name == "thanksgiving":
        first = date(year, 11, 1)
        return one_day(first + timedelta(days=(3 - first.weekday()) % 7 + 21))
    return {
        "christmas eve": one_day(date(year, 12, 24)),
        "christmas": (date(year, 12, 24), date(year, 12, 26)),
        "new year's eve": one_day(date(year, 12, 31)),
        "new year": (date(year - 1, 12, 31), date(year, 1, 1)),
        "halloween": one_day(date(year, 10, 31)),
        "valentine's day": one_day(date(year, 2, 14)),
    }[name]


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * i) // 451
    month, day = divmod(h + i - 7 * m + 114, 31)
    return date(year, month, day + 1)
