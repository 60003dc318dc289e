"""What was found as plain values: the same for the API and for commands with ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from library.access import hidden_roots, photos_for
from library.models import Photo, PhotoFile
from search.chips import chips
from search.query import SearchQuery
from search.results import SearchResult

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def hits(
    result: SearchResult, user: AbstractBaseUser | AnonymousUser, *, on_disk: bool = False
) -> list[dict[str, Any]]:
    """Photo, the path of its first file this user may know of, time, addresses, score and reasons.

    The path begins with the root's name, or with ``on_disk`` with where the root lies.
    """
    keys = [hit.photo_id for hit in result.hits]
    paths = _paths(keys, user, on_disk=on_disk)
    photos = photos_for(user).filter(pk__in=keys).only("sha256", "taken_local").in_bulk()
    return [
        {
            "photo": hit.photo_id,
            "path": paths.get(hit.photo_id, ""),
            "taken": _taken(photos[hit.photo_id]),
            "url": reverse("library:photo", args=[hit.photo_id]),
            "thumbnail": reverse("library:thumbnail", args=[hit.photo_id]),
            "score": round(hit.score, 6),
            "why": hit.why.as_dict(),
        }
        for hit in result.hits
        if hit.photo_id in photos
    ]


def understood(query: SearchQuery) -> dict[str, Any]:
    """How the query was read: its text, what it means, and its filters."""
    return {
        "text": query.as_typed,
        "meaning": str(query),
        "ranked_by": query.description,
        "filters": [asdict(chip) for chip in chips(query)],
    }


def summary(result: SearchResult) -> dict[str, Any]:
    """Everything about a result but its hits."""
    return {
        "query": understood(result.query),
        "mode": result.mode,
        "sort": result.sort,
        "total": result.total,
        "weaker": result.weaker,
        "window": result.window,
        "notices": [asdict(notice) for notice in result.notices],
    }


def _taken(photo: Photo) -> str | None:
    """The clock on the wall, without an offset."""
    return photo.taken_local.replace(tzinfo=None).isoformat() if photo.taken_local else None


def _paths(keys: Sequence[int], user: AbstractBaseUser | AnonymousUser, *, on_disk: bool) -> dict[int, str]:
    files = PhotoFile.objects.present().filter(photo__in=keys).exclude(root__in=hidden_roots(user))
    in_order = files.select_related("root").order_by("-pk")
    return {
        file.photo_id: f"{file.root.display_path if on_disk else file.root.name}/{file.display_path}"
        for file in in_order
    }
