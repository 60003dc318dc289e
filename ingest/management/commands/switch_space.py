"""``manage.py switch_space``: which model's vectors answer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.console import print_json
from ingest.switching import SpaceState, SwitchRefused, drop, state_of, states, switch
from library.models import EmbeddingSpace
from search.vector_indexes import THRESHOLD, is_indexed

KINDS = {"image": EmbeddingSpace.Kind.IMAGE, "faces": EmbeddingSpace.Kind.FACE}


class Command(BaseCommand):
    """List the vector spaces, let a complete one answer, or drop one that does not answer any more."""

    help = (
        "Without arguments: list the vector spaces. With one: let it answer; refused while it is incomplete. "
        "A new space takes over by itself when it is complete, unless somebody switched away from it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument("space", nargs="?", help="Its number, or engine/model as in the list.")
        parser.add_argument("--kind", choices=sorted(KINDS), help="Only spaces of pictures, or of faces.")
        parser.add_argument("--drop", metavar="SPACE", help="Delete the vectors of one that does not answer.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """List, switch or drop."""
        kind = KINDS[options["kind"]].value if options["kind"] else ""
        if options["space"] and options["drop"]:
            raise CommandError("Either switch to a space or drop one.")
        try:
            if options["drop"]:
                self._drop(_find(options["drop"], kind), as_json=options["json"])
            elif options["space"]:
                self._switch(_find(options["space"], kind), as_json=options["json"])
            else:
                self._list(states(kind), as_json=options["json"])
        except SwitchRefused as refused:
            raise CommandError(str(refused)) from refused

    def _list(self, found: list[SpaceState], *, as_json: bool) -> None:
        if as_json:
            print_json(self, {"spaces": [state.as_data() for state in found]})
            return
        for state in found:
            self.stdout.write(
                f"{state.id:4}  {state.kind:5}  {state.status:8}  {state.name} ({state.dimensions}-d): "
                f"{state.rows:,} vectors, {state.filled:,} of {state.photos:,} photos"
                + (", filled by today's engine" if state.live else "")
            )
            if state.status != EmbeddingSpace.Status.RETIRED and state.labelled_elsewhere:
                self.stdout.write(
                    f"      {state.labelled_elsewhere:,} faces that somebody named are in other spaces; "
                    "they stay."
                )
            if state.sentence:
                self.stdout.write(f"      {state.sentence}")
        if not found:
            self.stdout.write("There is no space of vectors yet: no photo was looked at.")

    def _switch(self, space: EmbeddingSpace, *, as_json: bool) -> None:
        before = switch(space)
        space.refresh_from_db()
        state = state_of(space)
        if as_json:
            print_json(self, {"switched_to": state.as_data(), "before": str(before or "")})
            return
        self.stdout.write(f"{space} answers from now on" + (f", in place of {before}." if before else "."))
        if not state.live:
            self.stdout.write(
                "Today's engine writes into another space: new photos are not in this one until the settings "
                "name its model again."
            )
        if space.kind == EmbeddingSpace.Kind.IMAGE and state.rows >= THRESHOLD and not is_indexed(space.pk):
            self.stdout.write("Run `manage.py reindex_vectors`: searches read every vector until then.")

    def _drop(self, space: EmbeddingSpace, *, as_json: bool) -> None:
        name = str(space)
        deleted, kept = drop(space)
        if as_json:
            print_json(self, {"dropped": name, "deleted": deleted, "kept": kept})
            return
        self.stdout.write(f"{name}: {deleted:,} vectors deleted.")
        if kept:
            self.stdout.write(f"{kept:,} faces that somebody said something about are kept.")


def _names(space: EmbeddingSpace) -> set[str]:
    """What a person may call it; the fingerprint behind ``@`` may be left out."""
    names = {space.engine, space.model, f"{space.engine}/{space.model}"}
    return {str(space.pk)} | names | {name.partition("@")[0] for name in names}


def _find(wanted: str, kind: str) -> EmbeddingSpace:
    """The one space of this name."""
    spaces = EmbeddingSpace.objects.filter(kind=kind) if kind else EmbeddingSpace.objects.all()
    found = [space for space in spaces.order_by("pk") if wanted in _names(space)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{space.pk} ({space})" for space in (found or spaces.order_by("pk")))
    if found:
        raise CommandError(f"{wanted} is not one space but several: {names}. Name it by its number.")
    raise CommandError(f"There is no space {wanted}; there are: {names or 'none yet'}.")
