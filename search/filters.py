"""``SearchQuery`` and a user → the photos that may be found at all.

Access rights are the first condition and always there: what can be found is what the gallery of this user
holds. Free text ranks and does not filter; everything else does: quoted words, fields, ``-not`` words and
alternatives that mix words with fields. Nearly identical photos are represented by the one they stand
behind: words that only a hidden copy has do not find it. ``show:duplicates`` lets each stand for itself.

The names of a photo's files are one part of its document, whichever roots they lie in. So for whoever may
not see one of these roots none of the names counts, or what is found would tell the hidden ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from library.access import hidden_roots, photos_for
from library.models import PhotoQuerySet
from library.timeline import gallery_photos
from search.conditions import Scope, condition_of, in_document
from search.query import Atom, Clause, Field, Group, SearchQuery, Term

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True, slots=True)
class Eligible:
    """The photos that may be found, unordered, and what there is to say about the filters.

    The names of photos with a file in one of ``hidden_roots`` must not count.
    """

    photos: PhotoQuerySet
    notices: tuple[str, ...] = ()
    hidden_roots: tuple[int, ...] = ()


def eligible(query: SearchQuery, user: AbstractBaseUser | AnonymousUser) -> Eligible:
    """Apply the filters of the query to what this user may see.

    Names (of tags, categories, people and places) are resolved here, folded like everything else; a name
    nobody has, as far as this user may know, matches nothing and is said in ``notices``.
    """
    scope = Scope(user, tuple(hidden_roots(user)))
    photos = _gallery(query, user)
    for clause in query.filters:
        if _shows_duplicates(clause):
            continue
        condition = _any(clause, scope)
        photos = photos.exclude(condition) if clause.negated else photos.filter(condition)
    return Eligible(photos, tuple(dict.fromkeys(scope.notices)), tuple(scope.hidden_roots))


def _gallery(query: SearchQuery, user: AbstractBaseUser | AnonymousUser) -> PhotoQuerySet:
    if any(_shows_duplicates(clause) and not clause.negated for clause in query.clauses):
        return photos_for(user).shown().filter(taken_local__isnull=False)
    return gallery_photos(user)


def _shows_duplicates(clause: Clause) -> bool:
    """Whether it says what the gallery holds, and asks nothing of a photo."""
    return all(isinstance(atom, Field) and atom.name == "show" for atom in clause.alternatives)


def _any(clause: Clause, scope: Scope) -> Q:
    """One of the alternatives holds."""
    condition = Q()
    for atom in clause.alternatives:
        condition |= _holds(atom, scope)
    return condition


def _holds(atom: Atom, scope: Scope) -> Q:
    if isinstance(atom, Term):
        return in_document(atom.words, hidden=scope.hidden_roots)
    if isinstance(atom, Field):
        return condition_of(atom, scope)
    return _all(atom, scope)


def _all(group: Group, scope: Scope) -> Q:
    condition = Q()
    for clause in group.clauses:
        condition &= ~_any(clause, scope) if clause.negated else _any(clause, scope)
    return condition
