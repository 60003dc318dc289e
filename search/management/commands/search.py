"""``search "<text>"``: what the search page finds, for scripts. All photos, as the owner sees them."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from library.models import PhotoFile
from search import hybrid
from search.query import parse
from search.results import MODES, SearchResult


class Command(BaseCommand):
    """Prints one line a hit, or with ``--json`` one list of them. Notices go to stderr."""

    help = 'Search the library: words, "phrases", -not, or, and fields such as tag:cat year:2019.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument("text", help="what to search for")
        parser.add_argument("--mode", choices=MODES, default=MODES[0])
        parser.add_argument(
            "--limit", type=int, default=20, help=f"at most {hybrid.WINDOW} hits (default 20)"
        )
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        """Search and print."""
        everything = get_user_model()(is_superuser=True)
        result = hybrid.search(
            parse(options["text"]), everything, mode=options["mode"], limit=options["limit"]
        )
        for notice in result.notices:
            self.stderr.write(str(notice))
        rows = _rows(result)
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row['score']:.4f}  {row['path']}  {_in_words(row['why'])}".rstrip())
        if not rows:
            self.stderr.write("Nothing found.")


def _rows(result: SearchResult) -> list[dict[str, Any]]:
    paths = _paths([hit.photo_id for hit in result.hits])
    return [
        {
            "photo": hit.photo_id,
            "path": paths.get(hit.photo_id, ""),
            "score": round(hit.score, 6),
            "why": hit.why.as_dict(),
        }
        for hit in result.hits
    ]


def _paths(photo_ids: list[int]) -> dict[int, str]:
    """The first present file of every photo, with its root."""
    files = PhotoFile.objects.present().filter(photo__in=photo_ids).select_related("root").order_by("-pk")
    return {file.photo_id: f"{file.root.display_path}/{file.display_path}" for file in files}


def _in_words(why: dict[str, Any]) -> str:
    parts = [f"{match['field']}: {' '.join(match['words'])}" for match in why["matches"]]
    if why["similarity"] is not None and math.isfinite(why["similarity"]):
        parts.append(f"similarity {why['similarity']:.2f}")
    return f"({'; '.join(parts)})" if parts else ""
