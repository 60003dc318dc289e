"""What a search gives back: frozen values, without anything of the database in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from search.query import SearchQuery

Mode = Literal["hybrid", "keyword", "semantic"]
MODES: tuple[Mode, ...] = ("hybrid", "keyword", "semantic")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know about this search, and what helps."""

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class Match:
    """Words of the query that were found, and where: ``value`` is the tag, title, file name … as it is."""

    field: Literal["tag", "category", "title", "keyword", "text", "description", "folder", "file", "camera"]
    value: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text; pieces follow one another."""

    text: str
    matched: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """Why a photo was found. Ranks start at 1; None means that this side did not find it.

    ``similarity`` is the cosine between the text and the picture (with LOCAL_CROPS partly that of its best
    part); ``strength`` puts it on a scale from 0
    (what unrelated pictures have) to 1 (the best of this search).
    """

    keyword_rank: int | None = None
    semantic_rank: int | None = None
    similarity: float | None = None
    strength: float | None = None
    matches: tuple[Match, ...] = ()
    snippet: tuple[Fragment, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def matched_tags(self) -> tuple[str, ...]:
        """The tags that words of the query matched."""
        return tuple(match.value for match in self.matches if match.field == "tag")

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON; the snippet as one string with ``**`` around what matched."""
        text = "".join(f"**{piece.text}**" if piece.matched else piece.text for piece in self.snippet)
        rounded = {
            name: None if value is None else round(value, 4)
            for name, value in (("similarity", self.similarity), ("strength", self.strength))
        }
        return asdict(self) | rounded | {"snippet": text}


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo that was found."""

    photo_id: int
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of hits in their order; ``total`` counts all that can be paged to (see ``hybrid.WINDOW``)."""

    query: SearchQuery
    mode: Mode
    hits: tuple[Hit, ...] = ()
    total: int = 0
    notices: tuple[Notice, ...] = ()
