"""What was typed → a ``SearchQuery``: one pass over the tokens, with a stack for parentheses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from search.query.fields import known_name, problem
from search.query.syntax import Atom, Clause, Field, Group, SearchQuery, Term
from search.text import clean

MAX_LENGTH = 500
"""Characters of a query that are read."""

MAX_DEPTH = 8
"""Parentheses within parentheses that are understood; deeper ones are left out."""

_TOKEN = re.compile(
    r"""\ *(?:
        (?P<close>\))
      | (?P<minus>-+(?=[^\ )-]))?
        (?: (?P<open>\()
          | (?P<field>[A-Za-z]+):(?:"(?P<quoted>[^"]*)"?|(?P<value>[^\ "()]+))
          | "(?P<phrase>[^"]*)"?
          | (?P<word>[^\ "()]+) )
    )""",
    re.VERBOSE,
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"（": "(", "）": ")"})
_OR = ("or", "|")

_UNCLOSED = "A parenthesis was not closed; it was taken to end with the text."
_UNOPENED = "A closing parenthesis without an opening one was left out."
_TOO_DEEP = f"Parentheses are understood up to {MAX_DEPTH} deep; the others were left out."


def parse(text: str) -> SearchQuery:
    """Read what a person typed. Never raises."""
    hints: list[str] = []
    cleaned = clean(text).translate(_QUOTES)
    if len(cleaned) > MAX_LENGTH:
        hints.append(f"Only the first {MAX_LENGTH} characters were read.")
    query = _Parser(hints).read(cleaned[:MAX_LENGTH].strip())
    return fitted(SearchQuery(query, tuple(dict.fromkeys(hints))))


def fitted(query: SearchQuery) -> SearchQuery:
    """Without what would not be read again: printed, ``a | b`` or "2019" are longer than they were typed."""
    clauses = list(query.clauses)
    while len(" ".join(map(str, clauses))) > MAX_LENGTH:
        last = clauses.pop()
        if len(last.alternatives) > 1:
            kept = replace(last, alternatives=last.alternatives[:-1])
            only = kept.alternatives[0]
            if isinstance(only, Group) and len(kept.alternatives) == 1:
                kept = _grouped(only.clauses, negated=kept.negated)
            clauses += _spliced([kept])
    return replace(query, clauses=tuple(clauses))


def _spliced(clauses: list[Clause]) -> tuple[Clause, ...]:
    """Groups that stand alone, taken out of their parentheses."""
    found: list[Clause] = []
    for clause in clauses:
        only = clause.alternatives[0]
        if isinstance(only, Group) and len(clause.alternatives) == 1 and not clause.negated:
            found.extend(only.clauses)
        else:
            found.append(clause)
    return tuple(found)


@dataclass(slots=True)
class _Level:
    """What is between two parentheses: the clauses so far, and whether ``or`` stood last."""

    negated: bool = False
    clauses: list[Clause] = field(default_factory=list)
    joining: bool = False


class _Parser:
    """Reads one text; ``hints`` are added to the list it is given."""

    def __init__(self, hints: list[str]) -> None:
        self.hints = hints
        self.levels = [_Level()]
        self.left_out = 0

    def read(self, text: str) -> tuple[Clause, ...]:
        """All clauses of the text."""
        for match in _TOKEN.finditer(text):
            if match["open"]:
                self._open(negated=match["minus"] is not None)
            elif match["close"]:
                self._close()
            else:
                self._take(match)
        if len(self.levels) > 1:
            self.hints.append(_UNCLOSED)
        while len(self.levels) > 1:
            self._close()
        return _spliced(self.levels[0].clauses)

    def _open(self, *, negated: bool) -> None:
        if len(self.levels) > MAX_DEPTH:
            self.hints.append(_TOO_DEEP)
            self.left_out += 1
        else:
            self.levels.append(_Level(negated))

    def _close(self) -> None:
        if self.left_out:
            self.left_out -= 1
        elif len(self.levels) == 1:
            self.hints.append(_UNOPENED)
        else:
            level = self.levels.pop()
            clauses = _spliced(level.clauses)
            if clauses:
                self._add(_grouped(clauses, negated=level.negated))

    def _take(self, match: re.Match[str]) -> None:
        atom = _atom(match, self.hints)
        negated = match["minus"] is not None
        if isinstance(atom, Term) and not atom.quoted and atom.text.casefold() in _OR and not negated:
            self.levels[-1].joining = bool(self.levels[-1].clauses)
        elif isinstance(atom, Field) or atom.words:
            self._add(Clause((atom,), negated=negated))

    def _add(self, clause: Clause) -> None:
        level = self.levels[-1]
        joining, level.joining = level.joining, False
        if joining:
            # A negated alternative is printed in parentheses, and these must not be too deep again.
            plain = not clause.negated and not level.clauses[-1].negated
            if plain or len(self.levels) <= MAX_DEPTH:
                before = level.clauses.pop()
                clause = Clause((*_alternatives(before), *_alternatives(clause)))
        level.clauses.append(clause)


def _alternatives(clause: Clause) -> tuple[Atom, ...]:
    return (Group((clause,)),) if clause.negated else clause.alternatives


def _grouped(clauses: tuple[Clause, ...], *, negated: bool) -> Clause:
    """What stood in parentheses as one clause, as plain as can be."""
    if len(clauses) > 1:
        return Clause((Group(clauses),), negated=negated)
    (only,) = clauses
    return replace(only, negated=only.negated != negated)


def _atom(match: re.Match[str], hints: list[str]) -> Term | Field:
    if match["word"] is not None:
        # A negated "or" is meant as a word, and must stay one should its sign go away.
        return Term(match["word"], quoted=match["minus"] is not None and match["word"].casefold() in _OR)
    if match["phrase"] is not None:
        return Term(" ".join(match["phrase"].split()), quoted=True)
    name = known_name(match["field"])
    value = match["value"] if match["value"] is not None else " ".join(match["quoted"].split())
    found = problem(name, value)
    if not found:
        return Field(name, value)
    hints.append(found)
    typed = f"{match['field']}:{value}"
    return Term(typed, quoted=any(character in typed for character in " ()"))
