"""Save a search under a name, change it, and throw it away."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from search.models import QUERY_LENGTH, SavedSearch
from search.query import parse

NAME_LENGTH = SavedSearch._meta.get_field("name").max_length or 0


class CannotSave(ValueError):
    """The search cannot be saved like this; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A search as somebody wants it kept."""

    name: str
    query: str
    mode: str = "hybrid"
    sort: str = "relevance"
    weaker: bool = False
    shared: bool = False
    is_album: bool = False


def save_search(*, owner_id: int, wish: Wish) -> SavedSearch:
    """Keep a search. Raises CannotSave for an empty search or name, or a name that is taken."""
    return _written(SavedSearch(owner_id=owner_id), wish)


def change_search(*, saved: SavedSearch, wish: Wish) -> SavedSearch:
    """Give a saved search another name or another text. Raises CannotSave like ``save_search``."""
    return _written(saved, wish)


def delete_search(*, saved: SavedSearch) -> Wish:
    """Throw a saved search away. Returns what would bring it back through ``save_search``."""
    wish = Wish(**{name: getattr(saved, name) for name in Wish.__slots__})
    saved.delete()
    return wish


def _written(saved: SavedSearch, wish: Wish) -> SavedSearch:
    name = " ".join(wish.name.split())
    query = parse(wish.query).as_typed
    if not name:
        raise CannotSave("A saved search needs a name.")
    if len(name) > NAME_LENGTH:
        raise CannotSave(f"The name is too long; {NAME_LENGTH} characters are enough for anything.")
    if not query:
        raise CannotSave("There is no search to save: type one first.")
    if len(query) > QUERY_LENGTH:
        raise CannotSave(f"The search is too long to be saved; it may have {QUERY_LENGTH} characters.")
    for field in Wish.__slots__:
        setattr(saved, field, getattr(wish, field))
    saved.name, saved.query = name, query
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as error:
        raise CannotSave(f"You have a saved search called “{name}” already. Choose another name.") from error
    return saved
