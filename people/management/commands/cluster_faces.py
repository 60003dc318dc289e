"""``manage.py cluster_faces``: group the faces that nobody knows."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Q

from people.actions.nightly import cluster_everything
from people.models import FaceCluster


class Command(BaseCommand):
    """A full run. A group that is found again stays the same; no name is touched. Harmless to repeat."""

    help = "Group the unknown faces, one group a person; with --review also list the biggest groups."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options of the command."""
        parser.add_argument("--review", action="store_true", help="list the biggest groups without a name")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Group, then say what was found."""
        runs = [
            {
                "space": str(space),
                "faces": done.faces,
                "groups": done.kept + done.new,
                "new_groups": done.new,
                "grouped": done.grouped,
                "single": done.single,
            }
            for space, done in cluster_everything().items()
        ]
        groups = _biggest() if options["review"] else []
        if options["json"]:
            self.stdout.write(json.dumps({"spaces": runs, "groups": groups}, indent=2))
            return
        for run in runs:
            self.stdout.write(
                f"{run['space']}: {run['faces']} unknown faces, {run['grouped']} in {run['groups']} groups "
                f"({run['new_groups']} new), {run['single']} single."
            )
        if not runs:
            self.stdout.write("There are no faces yet.")
        for group in groups:
            self.stdout.write(f"Group {group['id']}: {group['faces']} faces, cover: face {group['cover']}.")


def _biggest() -> list[dict[str, Any]]:
    known = Q(size__gt=0, ignored=False)
    rows = FaceCluster.objects.filter(known).order_by("-size", "pk").values("pk", "size", "cover")[:20]
    return [{"id": row["pk"], "faces": row["size"], "cover": row["cover"]} for row in rows]
