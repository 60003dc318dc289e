"""What happened to people, told to those who may know of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, QuerySet

from people.access import events_for, people_for
from people.models import PeopleEvent

if TYPE_CHECKING:
    from people.access import User

Kind = PeopleEvent.Kind
#: With {name} (whom it is about) and {faces} (“3 faces”).
_SENTENCES: Final[dict[str, str]] = {
    Kind.CONFIRM: "{faces}: {name}",
    Kind.REJECT: "{faces}: not {name}",
    Kind.ASSIGN: "{faces} moved to {name}",
    Kind.UNASSIGN: "The name was taken off {faces}",
    Kind.CREATE_PERSON: "{name} is new, with {faces}",
    Kind.RENAME: "{before} is now called {name}",
    Kind.EDIT: "{name} was changed",
    Kind.SET_COVER: "{name} has another cover",
    Kind.PIN: "A face of {name} is always compared with",
    Kind.UNPIN: "A face of {name} is no longer pinned",
    Kind.MERGE: "{merged} became {name}",
    Kind.SPLIT: "{faces} were split off as {name}",
    Kind.IGNORE: "{faces} ignored",
    Kind.NOT_A_FACE: "{faces}: not a face",
    Kind.DRAW: "A face was drawn",
    Kind.MOVE_BOX: "A box was moved",
    Kind.DELETE_BOX: "A box was deleted",
    Kind.NOT_SAME: "{name} and {other} are not the same",
    Kind.MAYBE_SAME: "{name} may be the same as somebody after all",
    Kind.GUESS: "{faces} recognised by the program",
    Kind.WITHDRAW: "Guesses about {faces} withdrawn by the program",
    Kind.IMPORT: "{faces} named by another program",
    Kind.UNDO: "Undone: {undid}",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words. What was undone, and undoing itself, cannot be undone."""

    event: PeopleEvent
    text: str
    can_undo: bool


def history(user: User) -> QuerySet[PeopleEvent]:
    """What people did, the latest first; the program's own deeds are told where they lead."""
    return events_for(user).filter(by__isnull=False).annotate(faces=Count("labels")).order_by("-at", "-pk")


def lines(events: Iterable[PeopleEvent], user: User) -> list[Line]:
    """Events of ``history`` in words; one more query for who of these people may be known by now."""
    found = list(events)
    people = {event.person.final_id for event in found if event.person}
    known = set(people_for(user).filter(pk__in=people).values_list("pk", flat=True))
    return [
        Line(event, _told(event, known), event.undone_at is None and event.kind != Kind.UNDO)
        for event in found
    ]


def _told(event: PeopleEvent, known: Collection[int]) -> str:
    person = event.person
    # Who was taken back was known to whoever made them; of others a name may be told that is new since.
    may_name = person is not None and (person.removed or person.final_id in known)
    number = getattr(event, "faces", 0)
    data = event.data
    merged = ", ".join(str(name) for _, name in data.get("merged", []))
    values = {
        "name": person.name if person and may_name else "somebody",
        "faces": "One face" if number == 1 else f"{number} faces",
        "merged": merged or "Somebody",
        "before": _name_before(event),
        "other": "somebody",
        "undid": Kind(data["undid"]).label if data.get("undid") in Kind.values else "something",
    }
    return _SENTENCES[event.kind].format(**values)


def _name_before(event: PeopleEvent) -> str:
    names = [
        change["before"]["name"] for change in event.data.get("changes", []) if "name" in change["before"]
    ]
    return str(names[0]) if names else "Somebody"
