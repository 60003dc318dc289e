"""The picture or face that a search page was asked for, beside what was typed.

like=12         photo 12 of the library
picture=…       one that was brought along, by its token (search.pictures)
face=34         a face of the library
weight=0.25     how much the picture counts beside free text; half when left out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from library.access import photo_or_404, photos_for
from library.models import Photo
from library.timeline import with_details
from people.models import Face
from search import faces, hybrid, pictures
from search.query import SearchQuery
from search.results import Mode, Notice, Picture, SearchResult, Sort

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User = AbstractBaseUser | AnonymousUser

Kind = Literal["like", "picture", "face"]
WEIGHTS: Final = {"0.75": "More picture", "0.5": "Both alike", "0.25": "More words"}
USUAL_WEIGHT: Final = "0.5"
TOKEN_LENGTH: Final = 43


@dataclass(frozen=True, slots=True)
class ByPicture:
    """What the search is by. Without ``picture`` and ``face`` the ``notice`` says why it cannot be.

    ``photo`` is shown beside the box; a picture that was brought along is not kept, so it cannot be.
    """

    kind: Kind
    value: str
    weight: str = USUAL_WEIGHT
    photo: Photo | None = None
    picture: Picture | None = None
    face: Face | None = None
    notice: Notice | None = None


def parameters(given: Mapping[str, str]) -> dict[str, str]:
    """Those of these parameters that ask for a picture, as far as they can be used."""
    kept = {name: given.get(name, "") for name in ("like", "face")}
    kept = {name: value for name, value in kept.items() if _number(value) is not None}
    token, weight = given.get("picture", ""), given.get("weight", "")
    if token.isascii() and token.isprintable() and 0 < len(token) <= TOKEN_LENGTH:
        kept["picture"] = token
    return kept | ({"weight": weight} if kept and weight in WEIGHTS and weight != USUAL_WEIGHT else {})


def asked(given: Mapping[str, str], user: User) -> ByPicture | None:
    """What these parameters ask for; None when it is no picture. Raises Http404 for what may not be seen."""
    weight = given.get("weight", "")
    weight = weight if weight in WEIGHTS else USUAL_WEIGHT
    if (photo_id := _number(given.get("like", ""))) is not None:
        photo = _shown(user, photo_id)
        found = pictures.of_photo(photo, weight=float(weight))
        return _with(ByPicture("like", str(photo_id), weight, photo), found)
    if (face_id := _number(given.get("face", ""))) is not None:
        face = faces.face_or_404(user, face_id)
        return ByPicture("face", str(face_id), weight, _shown(user, face.photo_id), face=face)
    if token := given.get("picture", ""):
        found = pictures.of_token(user, token, weight=float(weight))
        return _with(ByPicture("picture", token, weight), found)
    return None


def search(
    query: SearchQuery,
    user: User,
    by: ByPicture | None,
    *,
    mode: Mode = "hybrid",
    sort: Sort = "relevance",
    weaker: bool = False,
    limit: int = 50,
    offset: int = 0,
    reasons: bool = True,
) -> SearchResult:
    """``hybrid.search``, or the search by a picture or a face. What cannot be searched by finds nothing."""
    if by is not None and by.face is not None:
        return faces.by_face(by.face, query, user, limit=limit, offset=offset, reasons=reasons)
    if by is not None and by.notice is not None:
        return SearchResult(query, mode, notices=(by.notice,))
    picture = by.picture if by is not None else None
    if picture is not None and not query.free_text:
        picture = replace(picture, weight=1.0)
    return hybrid.search(
        query,
        user,
        mode=mode,
        sort=sort,
        picture=picture,
        weaker=weaker,
        limit=limit,
        offset=offset,
        reasons=reasons,
    )


def _shown(user: User, photo_id: int) -> Photo:
    """The photo with all that its picture says about it."""
    return photo_or_404(user, photo_id, photos=with_details(photos_for(user), user))


def _with(by: ByPicture, found: Picture | Notice) -> ByPicture:
    return replace(by, notice=found) if isinstance(found, Notice) else replace(by, picture=found)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
