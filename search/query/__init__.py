"""What was typed → a frozen ``SearchQuery``. Pure: no database, and no text at all makes it raise.

    sunset beach            both words
    "happy birthday"        exactly these words in this order
    -blurry                 not this word
    cat or dog              one of the two; ``or`` joins its neighbours, before anything else
    (cat sofa) or dog       parentheses hold together; -(cat sofa) is not both
    tag:cat text:"vet bill" category:food person:anna album:summer place:paris folder:"2019/trip"
    camera:pixel lens:50mm type:raw format:heic orientation:portrait color:red
    rating:4+ size:>5mb size:>12mp faces:2+ has:text is:favourite near:48.86,2.35,5
    date:2019-06..2019-08 year:2019 after:2019-05 before:2020
                            within; from the start of May 2019; up to the end of 2019
    show:duplicates         nearly identical photos one by one, instead of the best of them

A field that is not known, or whose value cannot be used, is searched as plain words, with a hint.
``str(query)`` prints the query back; parsing that gives the same query.
"""

from __future__ import annotations

from search.query.fields import ALIASES, DATE_FIELDS, FIELDS, KINDS, FieldKind
from search.query.parser import MAX_DEPTH, MAX_LENGTH, parse
from search.query.syntax import Atom, Clause, Expansion, Field, Group, SearchQuery, Term
from search.query.values import period, span

__all__ = [
    "ALIASES",
    "DATE_FIELDS",
    "FIELDS",
    "KINDS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Atom",
    "Clause",
    "Expansion",
    "Field",
    "FieldKind",
    "Group",
    "SearchQuery",
    "Term",
    "parse",
    "period",
    "span",
]
