"""Who may know of which names: of those that at least one photo they may see has. One bounded query."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connection

from library.access import hidden_roots
from library.timeline import gallery_photos
from search.lexicon import Entry
from search.statements import named

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

LOOKED_AT: Final = 200
"""Photos of each name. A name that is mostly in hidden roots may be missed, and is then not suggested."""

_ROWS: Final = {"tag": "tags", "category": "categories", "person": "people", "album": "albums"}


def known(entries: Iterable[Entry], user: AbstractBaseUser | AnonymousUser) -> list[Entry]:
    """Those of the entries that this user may know of, in their order.

    Fields are no secret. Nothing is asked for whoever may see every root.
    """
    wanted = list(entries)
    hidden = hidden_roots(user)
    if not hidden and user.is_authenticated:
        return wanted
    told = _told([entry for entry in wanted if entry.kind != "field"], user, hidden)
    return [entry for entry in wanted if entry.kind == "field" or (entry.kind, _text(entry)) in told]


@cache
def _template() -> str:
    text = (Path(__file__).parent / "sql" / "known.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _told(
    entries: list[Entry], user: AbstractBaseUser | AnonymousUser, hidden: list[int]
) -> set[tuple[str, str]]:
    if not entries:
        return set()
    try:
        eligible, parameters = named(*gallery_photos(user).order_by().values("pk").query.sql_with_params())
    except EmptyResultSet:  # nobody who is not logged in may see anything
        return set()
    cameras = [entry.key for entry in entries if isinstance(entry.key, tuple)]
    asked: dict[str, Any] = {
        "makes": [make for make, _ in cameras],
        "models": [model for _, model in cameras],
        "places": [entry.key for entry in entries if entry.kind == "place"],
        "words": [entry.key for entry in entries if entry.kind == "word"],
        "hidden_roots": hidden,
        "most": LOOKED_AT,
    }
    for kind, name in _ROWS.items():
        asked[name] = [entry.key for entry in entries if entry.kind == kind]
    with connection.cursor() as cursor:
        cursor.execute(_template().format(eligible=eligible), {**parameters, **asked})
        return {(kind, key) for kind, key in cursor.fetchall()}


def _text(entry: Entry) -> str:
    return "\n".join(entry.key) if isinstance(entry.key, tuple) else str(entry.key)
