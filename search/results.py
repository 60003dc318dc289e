"""What a search gives back: frozen values, without anything of the database in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from search.query import SearchQuery
from vision.results import Vectors

Mode = Literal["hybrid", "keyword", "semantic"]
MODES: tuple[Mode, ...] = ("hybrid", "keyword", "semantic")
Sort = Literal["relevance", "newest", "oldest"]
SORTS: tuple[Sort, ...] = ("relevance", "newest", "oldest")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to rank by: a unit vector [D] of an image space.

    Beside free text the two are added up, ``weight`` (0..1) of the picture and the rest of the text; without
    free text the picture ranks alone. The photos ``without`` are left out: those it was made of.
    """

    space_id: int
    vector: Vectors
    weight: float = 1.0
    without: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know about this search, and what helps."""

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


FieldName = Literal[
    "tag", "category", "title", "keyword", "text", "description", "folder", "file", "camera", "place"
]


@dataclass(frozen=True, slots=True)
class Match:
    """Words of the query that were found, and where: ``value`` is the tag, title, file name … as it is.

    ``other_words`` are those that stand there for what was typed: synonyms, or the right spelling.
    """

    field: FieldName
    value: str
    words: tuple[str, ...]
    other_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagFound:
    """A tag of a photo, and how sure its engine was, 0..1."""

    name: str
    confidence: float

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text; pieces follow one another."""

    text: str
    matched: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """Why a photo was found. Ranks start at 1; None means that this side did not find it.

    ``similarity`` is the cosine between what was asked and the picture (with LOCAL_CROPS partly that of its
    best part); ``strength`` puts it on a scale from 0 to 1 that means the same whatever the model (see
    ``search.semantics.Scale``).
    """

    keyword_rank: int | None = None
    semantic_rank: int | None = None
    similarity: float | None = None
    strength: float | None = None
    matches: tuple[Match, ...] = ()
    snippet: tuple[Fragment, ...] = ()
    tags: tuple[TagFound, ...] = ()

    @property
    def matched_tags(self) -> tuple[TagFound, ...]:
        """The tags that words of the query matched."""
        names = {match.value for match in self.matches if match.field == "tag"}
        return tuple(tag for tag in self.tags if tag.name in names)

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
    """One page of hits in their order.

    ``total`` counts all that can be paged to, at most ``window``; ``weaker`` counts what is similar, but not
    similar enough to be shown unless weaker matches are asked for.
    """

    query: SearchQuery
    mode: Mode
    hits: tuple[Hit, ...] = ()
    total: int = 0
    notices: tuple[Notice, ...] = ()
    sort: Sort = "relevance"
    weaker: int = 0
    window: int = 0
