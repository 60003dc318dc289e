"""``search "<text>"``: what the search page finds, for scripts. All photos, or those a user may see."""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from search import hybrid, report
from search.found import Asked
from search.management.users import seen_by
from search.results import MODES, SORTS


class Command(BaseCommand):
    """Prints one line a hit, or with ``--json`` one list of them. Notices go to stderr."""

    help = 'Search the library: words, "phrases", -not, or, (…), and fields such as tag:cat year:2019.'

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument("text", help="what to search for")
        parser.add_argument("--mode", choices=MODES, default=MODES[0])
        parser.add_argument("--sort", choices=SORTS, default=SORTS[0])
        parser.add_argument("--weaker", action="store_true", help="show weaker matches, too")
        parser.add_argument("--limit", type=int, default=20, help="at most so many hits (default 20)")
        parser.add_argument("--exact", action="store_true", help="search misspelt words as they are")
        parser.add_argument("--user", default="", help="search as this user (default: all photos)")
        parser.add_argument("--json", action="store_true", help="print a list of objects")

    def handle(self, *args: Any, **options: Any) -> None:
        """Search and print."""
        user = seen_by(options["user"])
        asked = Asked(q=options["text"], mode=options["mode"], exact=options["exact"])
        query, correction = asked.read(user)
        for typed, meant in correction.words if correction else ():
            self.stderr.write(f"“{typed}” was taken for “{meant}”; --exact searches for it as it is.")
        result = hybrid.search(
            query,
            user,
            mode=options["mode"],
            sort=options["sort"],
            weaker=options["weaker"],
            limit=options["limit"],
        )
        for notice in result.notices:
            self.stderr.write(str(notice))
        rows = report.hits(result, user, on_disk=True)
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        for row in rows:
            self.stdout.write(f"{row['score']:.4f}  {row['path']}  {_in_words(row['why'])}".rstrip())
        if not rows:
            self.stderr.write("Nothing found.")


def _in_words(why: dict[str, Any]) -> str:
    parts = [f"{match['field']}: {' '.join(match['words'])}" for match in why["matches"]]
    if why["similarity"] is not None and math.isfinite(why["similarity"]):
        parts.append(f"similarity {why['similarity']:.2f}, strength {why['strength']:.2f}")
    return f"({'; '.join(parts)})" if parts else ""
