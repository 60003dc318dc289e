"""``manage.py sessions``: list sessions, and pause, resume, cancel them or change their priority."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import sessions, tasks
from ingest.console import print_json
from ingest.models import ScanSession
from ingest.retrying import By
from ingest.session_progress import SessionState, open_sessions, shown, states_of
from ingest.sessions import PRIORITIES, SessionRefused

SHOWN = 20


class Command(BaseCommand):
    """What the page Sessions does, for a terminal. Workers act on it with their next claim."""

    help = "List sessions, pause, resume or cancel one, start it again, or change its priority."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
        listing = actions.add_parser("list", help=f"The newest {SHOWN}.")
        listing.add_argument("--open", action="store_true", help="Only those of which something is left.")
        texts = {
            "pause": "Leave its photos alone.",
            "resume": "Go on with it.",
            "cancel": "End it; a later scan takes up what is unfinished.",
            "again": "Start it again as a new session.",
            "priority": "Change its priority while it runs.",
        }
        parsers = [listing]
        for name, text in texts.items():
            action = actions.add_parser(name, help=text)
            action.add_argument("id", type=int, metavar="ID")
            if name == "priority":
                action.add_argument("priority", choices=PRIORITIES)
            parsers.append(action)
        for action in parsers:
            action.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, then say how things stand."""
        if options["action"] == "list":
            self._tell(self._listed(only_open=options["open"]), options)
            return
        session = shown().filter(pk=options["id"]).first()
        if session is None:
            raise CommandError(f"There is no session {options['id']}: see `sessions list`.")
        try:
            session = self._act(session, options)
        except SessionRefused as refused:
            raise CommandError(str(refused)) from refused
        tasks.wake_all()
        self._tell(states_of([session]), options)

    def _listed(self, *, only_open: bool) -> list[SessionState]:
        if only_open:
            return open_sessions(most=SHOWN)
        return states_of(shown().order_by("-pk")[:SHOWN])

    def _act(self, session: ScanSession, options: dict[str, Any]) -> ScanSession:
        by = By.command()
        if options["action"] == "priority":
            return sessions.set_priority(session=session, priority=PRIORITIES[options["priority"]], by=by)
        act = {
            "pause": sessions.pause,
            "resume": sessions.resume,
            "cancel": sessions.cancel,
            "again": sessions.again,
        }
        return act[options["action"]](session=session, by=by)

    def _tell(self, states: list[SessionState], options: dict[str, Any]) -> None:
        if options["json"]:
            print_json(self, {"sessions": [state.as_data() for state in states]})
            return
        for state in states:
            self.stdout.write(_line(state))
        if not states:
            self.stdout.write("No sessions.")


def _line(state: SessionState) -> str:
    row = state.as_data()
    percent = "" if row["percent"] is None or not row["photos"] else f"{row['percent']} %"
    pace = f", {row['per_second']:.1f} a second" if row["per_second"] and row["left"] else ""
    return (
        f"{row['id']:6} {row['phase']:10} {percent:>5} {row['priority']:6} {row['folder']}: "
        f"{row['found']:,} found, {row['done']:,} done, {row['failed']:,} failed, {row['left']:,} left{pace}"
    )
