"""Who may know of which names: of those that at least one photo they may see has. A few bounded queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.db import connection

from library.access import hidden_roots, photos_for
from people.access import people_for
from search.lexicon import Entry
from search.statements import named

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User = AbstractBaseUser | AnonymousUser

LOOKED_AT: Final = 100
"""Photos of each name. A name that is mostly in hidden roots may be missed, and is then not suggested."""

_ARRAYS: Final = {
    "tag": "tags", "category": "categories", "album": "albums", "place": "places", "word": "words",
}  # fmt: skip


def known(entries: Iterable[Entry], user: User) -> list[Entry]:
    """Those of the entries that this user may know of, in their order. Fields are no secret; owners know all.

    At most three queries. Only about people and albums, which may be empty and somebody's own, anything is
    asked for whoever may see every root.
    """
    wanted = list(entries)
    if user.is_authenticated and getattr(user, "is_superuser", False):
        return wanted
    hidden = hidden_roots(user)
    others = [entry for entry in wanted if entry.kind not in ("field", "person")]
    if user.is_authenticated and not hidden:
        albums = [entry for entry in others if entry.kind == "album"]
        told = set(others) - set(albums) | _told(albums, user, hidden)
    else:
        told = _told(others, user, hidden)
    told |= _people([entry for entry in wanted if entry.kind == "person"], user)
    return [entry for entry in wanted if entry.kind == "field" or entry in told]


@cache
def _parts() -> dict[str, str]:
    """The statement, taken apart: by kind of name."""
    text = (Path(__file__).parent / "sql" / "known.sql").read_text(encoding="utf-8")
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    first = "SELECT '"
    parts = plain.removesuffix(";").removeprefix(first).split(f"UNION ALL\n{first}")
    return {part.partition("'")[0]: first + part for part in parts}


def _people(entries: list[Entry], user: User) -> set[Entry]:
    if not entries or user.pk is None:
        return set()
    keys = [entry.key for entry in entries if isinstance(entry.key, int)]
    statement, parameters = _people_of(user.pk)
    wanted = f"SELECT id FROM ({statement}) AS person (id) WHERE id = ANY (%s)"  # noqa: S608 - Django's own
    with connection.cursor() as cursor:
        cursor.execute(wanted, [*parameters, keys])
        found = {key for (key,) in cursor.fetchall()}
    return {entry for entry in entries if entry.key in found}


# These follow from nothing but the key of a user who is no owner: what is open to them is looked up when they
# run. To put them together takes longer than to run them.


@lru_cache(maxsize=256)
def _people_of(user_id: int) -> tuple[str, tuple[Any, ...]]:
    """SELECT of the keys of the people this user may know of."""
    user = get_user_model()(pk=user_id)
    return people_for(user).filter(hidden=False).order_by().values("pk").query.sql_with_params()


@lru_cache(maxsize=256)
def _photos_of(user_id: int) -> tuple[str, Mapping[str, Any]]:
    """SELECT of the keys of the photos this user may find."""
    user = get_user_model()(pk=user_id)
    return named(*photos_for(user).shown().order_by().values("pk").query.sql_with_params())


def _told(entries: list[Entry], user: User, hidden: list[int]) -> set[Entry]:
    if not entries or user.pk is None:
        return set()
    eligible, parameters = _photos_of(user.pk)
    # Planning costs more than asking: only the kinds that are there.
    kinds = dict.fromkeys(entry.kind for entry in entries)
    statement = "\nUNION ALL\n".join(_parts()[kind] for kind in kinds)
    with connection.cursor() as cursor:
        cursor.execute(statement.format(eligible=eligible), {**parameters, **_asked(entries, hidden)})
        found = {(kind, key) for kind, key in cursor.fetchall()}
    return {entry for entry in entries if (entry.kind, _text(entry)) in found}


def _asked(entries: list[Entry], hidden: list[int]) -> dict[str, Any]:
    cameras = [entry.key for entry in entries if isinstance(entry.key, tuple)]
    asked: dict[str, Any] = {
        "makes": [make for make, _ in cameras],
        "models": [model for _, model in cameras],
        "hidden_roots": hidden,
        "most": LOOKED_AT,
    }
    for kind, name in _ARRAYS.items():
        asked[name] = [entry.key for entry in entries if entry.kind == kind]
    return asked


def _text(entry: Entry) -> str:
    return "\n".join(entry.key) if isinstance(entry.key, tuple) else str(entry.key)
