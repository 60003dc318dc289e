"""``explain_search "<text>"``: how a query was read, what it was ranked by, and where the time went."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from search import hybrid, report
from search.found import Asked
from search.management.users import seen_by
from search.ranking import Ranking, plan
from search.results import MODES
from search.trace import Trace


class Command(BaseCommand):
    """Searches twice: once to time the stages, once to have PostgreSQL explain its plan."""

    help = "Explain a search: how it was read, candidates, timings by stage, PostgreSQL's plan."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument("text", help="what to search for")
        parser.add_argument("--mode", choices=MODES, default=MODES[0])
        parser.add_argument("--weaker", action="store_true", help="show weaker matches, too")
        parser.add_argument("--limit", type=int, default=20, help="candidates to list (default 20)")
        parser.add_argument("--exact", action="store_true", help="search misspelt words as they are")
        parser.add_argument("--user", default="", help="search as this user (default: all photos)")
        parser.add_argument("--json", action="store_true", help="print one object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Search, explain and print."""
        user, trace = seen_by(options["user"]), Trace()
        with trace.stage("reading"):
            asked = Asked(q=options["text"], mode=options["mode"], exact=options["exact"])
            query, _ = asked.read(user)
        result = hybrid.search(
            query,
            user,
            mode=options["mode"],
            weaker=options["weaker"],
            limit=options["limit"],
            trace=trace,
        )
        found = report.summary(result) | {
            "milliseconds": {name: round(value, 2) for name, value in trace.milliseconds.items()},
            "ranking": _ranking(trace.ranking),
            "candidates": report.hits(result, user, on_disk=True),
            "plan": plan(trace.ranking) if trace.ranking else [],
        }
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
        else:
            self.stdout.write("\n".join(_lines(found)))


def _ranking(ranking: Ranking | None) -> dict[str, Any] | None:
    """What it was ranked by; None for photos that come by their date."""
    if ranking is None:
        return None
    meaning = ranking.meaning
    return {
        "words": ranking.words.typed if ranking.words else None,
        "with_other_words": ranking.words.expanded if ranking.words else None,
        "space": meaning.space_id if meaning else None,
        "eligible_by_estimate": ranking.estimate,
        "distances": "from the HNSW index" if ranking.approximate else "exact",
        "centre": round(meaning.scale.centre, 4) if meaning else None,
        "spread": round(meaning.scale.spread, 4) if meaning else None,
        "gate": round(meaning.scale.gate(ranking.estimate), 4) if meaning else None,
        "floor": round(meaning.scale.floor, 4) if meaning else None,
    }


def _lines(found: dict[str, Any]) -> list[str]:
    query, ranking = found["query"], found["ranking"]
    lines = [f"understood as  {query['meaning']}", f"ranked by      {query['ranked_by'] or 'date'}"]
    lines += [f"filter         {chip['meaning']}" for chip in query["filters"]]
    lines += [f"notice         {notice['reason']} {notice['remedy']}" for notice in found["notices"]]
    lines += [f"found          {found['total']}, and {found['weaker']} weaker", ""]
    lines += [f"{name}: {value}" for name, value in (ranking or {}).items() if value is not None]
    lines += ["", *(f"{value:9.2f} ms  {name}" for name, value in found["milliseconds"].items()), ""]
    for row in found["candidates"]:
        why = row["why"]
        ranks = f"words {why['keyword_rank'] or '-':>4}  meaning {why['semantic_rank'] or '-':>4}"
        likeness = "" if why["similarity"] is None else f"  {why['similarity']:.3f} ({why['strength']:.2f})"
        lines.append(f"{row['score']:.5f}  {ranks}{likeness}  {row['path']}")
    return [*lines, "", *found["plan"]]
