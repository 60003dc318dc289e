"""``people list|show|merge|split|undo|export|import|sidecars|repair``: people from the command line."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from library.models import Root
from people import transfer
from people.access import figures_for
from people.actions.carry import carry_in
from people.actions.merge import merge, split
from people.actions.undo import undo
from people.derivation import repair
from people.merging import merge_conflicts
from people.models import Face, PeopleEvent, Person
from people.refusals import MergeRefused, PeopleRefused
from people.sidecars import OutputRefused, write_sidecars


class Command(BaseCommand):
    """Everything as an owner sees it. What changes something is an event that ``undo`` takes back."""

    help = "List, show, merge and split people; carry what was said about faces in and out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A word for what to do, and its options."""
        words = parser.add_subparsers(dest="word", required=True, metavar="WORD")

        def word(name: str, text: str) -> ArgumentParser:
            added: ArgumentParser = words.add_parser(name, help=text)
            added.add_argument("--json", action="store_true", help="print one JSON value")
            return added

        listed = word("list", "everybody, with the number of their photos")
        listed.add_argument("--all", action="store_true", help="hidden people too")
        shown = word("show", "one person: photos, eras, what was done")
        shown.add_argument("person", help="name or number")
        merged = word("merge", "make several people one")
        merged.add_argument("into", help="who stays: name or number")
        merged.add_argument("others", nargs="+", help="who they are, too")
        merged.add_argument("--overrule", action="store_true", help="also where something asks")
        merged.add_argument("--dry-run", action="store_true", help="only say what speaks against it")
        parted = word("split", "make faces of a person somebody else's")
        parted.add_argument("person", help="name or number")
        parted.add_argument("faces", nargs="+", type=int, help="numbers of faces, as `show` prints them")
        parted.add_argument("--name", default="", help="a new person of this name")
        parted.add_argument("--into", help="or somebody who is there: name or number")
        undone = word("undo", "take an event back")
        undone.add_argument("event", type=int, help="its number, as `show` prints it")
        out = word("export", "write people and labels as JSON")
        out.add_argument("file", nargs="?", help="the file; without it, stdout")
        into = word("import", "enter what `export` wrote")
        into.add_argument("file")
        into.add_argument("--dry-run", action="store_true", help="only say what would come of it")
        beside = word("sidecars", "write XMP sidecars with face regions into a copy of a folder")
        beside.add_argument("--output", required=True, help="the copy; never a folder of originals")
        beside.add_argument("--root", help="which folder of originals it is a copy of, by name")
        beside.add_argument("--guesses", action="store_true", help="names that only models gave, too")
        word("repair", "bring faces in line with their labels")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and print."""
        try:
            result = getattr(self, f"_{options['word']}")(options)
        except MergeRefused as refused:
            raise CommandError(str(refused)) from refused
        except (PeopleRefused, OutputRefused, transfer.NotReadable) as refused:
            raise CommandError(str(refused)) from refused
        if result is not None and options["json"]:
            self.stdout.write(json.dumps(result, indent=2, ensure_ascii=False, default=str))

    def _list(self, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        people = Person.objects.active().order_by("name", "pk")
        figures = figures_for(_owner())
        rows = []
        for person in people if options["all"] else people.filter(hidden=False):
            found = figures.get(person.pk)
            rows.append(_row(person) | {"photos": found.photos if found else 0})
        if not options["json"]:
            for row in rows:
                born = f", born {row['birth_date']}" if row["birth_date"] else ""
                self.stdout.write(f"{row['id']:6}  {row['photos']:6} photos  {row['name']}{born}")
            if not rows:
                self.stderr.write("Nobody has a name yet.")
        return rows

    def _show(self, options: Mapping[str, Any]) -> dict[str, Any]:
        person = _person(options["person"])
        figures = figures_for(_owner(), [person.pk]).get(person.pk)
        faces = person.faces.select_related("photo").order_by("photo__taken_local", "pk")
        rows = [_face_row(face) for face in faces.defer("embedding", "landmarks", "photo__exif")]
        events = [_event_row(event) for event in person.events.select_related("by")[:20]]
        told = _row(person) | {
            "notes": person.notes,
            "photos": figures.photos if figures else 0,
            "also": list(person.merged.values_list("name", flat=True)),
            "faces": rows,
            "events": events,
        }
        if not options["json"]:
            self._tell(told)
        return told

    def _tell(self, told: Mapping[str, Any]) -> None:
        self.stdout.write(f"{told['name']} ({told['id']}): {told['photos']} photos")
        for name in ("birth_date", "user", "notes"):
            if told[name]:
                self.stdout.write(f"  {name.replace('_', ' ')}: {told[name]}")
        if told["also"]:
            self.stdout.write(f"  also: {', '.join(told['also'])}")
        for face in told["faces"]:
            taken = face["taken"] or "undated"
            self.stdout.write(f"  face {face['face']} in photo {face['photo']}, {taken}, {face['source']}")
        for event in told["events"]:
            undone = ", undone" if event["undone"] else ""
            self.stdout.write(
                f"  event {event['event']}: {event['what']} by {event['by']}, {event['at']}{undone}"
            )

    def _merge(self, options: Mapping[str, Any]) -> dict[str, Any]:
        into, others = _person(options["into"]), [_person(name) for name in options["others"]]
        conflicts = merge_conflicts(into=into, others=others, by=None)
        for conflict in conflicts:
            self.stderr.write(f"{conflict.severity}: {conflict.text}")
        told = [{"severity": one.severity, "kind": one.kind, "text": one.text} for one in conflicts]
        if options["dry_run"]:
            return {"into": into.pk, "conflicts": told, "event": None}
        event = merge(into=into, others=others, by=None, overrule=options["overrule"])
        if not options["json"]:
            self.stdout.write(f"Merged into {into.name}. `people undo {event.pk}` takes it back.")
        return {"into": into.pk, "conflicts": told, "event": event.pk}

    def _split(self, options: Mapping[str, Any]) -> dict[str, Any]:
        if bool(options["name"]) == bool(options["into"]):
            raise CommandError("Say whose faces they are: either --name or --into.")
        into = _person(options["into"]) if options["into"] else None
        event = split(
            person=_person(options["person"]),
            face_ids=options["faces"],
            name=options["name"],
            into=into,
            by=None,
        )
        if not options["json"]:
            self.stdout.write(f"They are {event.person}'s now. `people undo {event.pk}` takes it back.")
        return {"person": event.person_id, "event": event.pk}

    def _undo(self, options: Mapping[str, Any]) -> dict[str, Any]:
        event = PeopleEvent.objects.filter(pk=options["event"]).first()
        if event is None:
            raise CommandError(f"There is no event {options['event']}.")
        undone = undo(event=event, by=None)
        if not options["json"]:
            self.stdout.write("Taken back.")
        return {"event": undone.pk}

    def _export(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        data = transfer.export()
        text = json.dumps(data, indent=1, ensure_ascii=False)
        if options["file"] is None:
            self.stdout.write(text)
            return None
        Path(options["file"]).write_text(text + "\n", encoding="utf-8")
        told = {"people": len(data["people"]), "faces": len(data["faces"])}
        if not options["json"]:
            self.stdout.write(f"{told['people']} people and {told['faces']} faces: {options['file']}")
        return told

    def _import(self, options: Mapping[str, Any]) -> dict[str, Any]:
        try:
            data = json.loads(Path(options["file"]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        carried = transfer.read(data)
        with tqdm(desc="Faces", total=len(carried.faces), disable=None, file=sys.stderr) as bar:
            entered = carry_in(
                carried=carried,
                source="export",
                dry_run=options["dry_run"],
                on_progress=lambda done: bar.update(done - bar.n),
            )
        told = entered.as_data()
        if not options["json"]:
            tell_entered(self, told)
        return told

    def _sidecars(self, options: Mapping[str, Any]) -> dict[str, Any]:
        roots = list(Root.objects.filter(name=options["root"]) if options["root"] else Root.objects.all())
        if len(roots) != 1:
            names = ", ".join(Root.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"Say by --root which folder it is a copy of: {names}.")
        with tqdm(desc="Files", disable=None, file=sys.stderr) as bar:
            written = write_sidecars(
                output=Path(options["output"]),
                root=roots[0],
                guesses=options["guesses"],
                on_progress=lambda done: bar.update(done - bar.n),
            )
        for problem in written.problems:
            self.stderr.write(problem)
        if not options["json"]:
            self.stdout.write(
                f"{written.written} written, {written.unchanged} as they were, "
                f"{written.foreign} of other programs left alone."
            )
        return written.as_data()

    def _repair(self, options: Mapping[str, Any]) -> dict[str, Any]:
        changed = repair()
        if not options["json"]:
            self.stdout.write(f"{changed} faces were brought in line with their labels.")
        return {"changed": changed}


def tell_entered(command: BaseCommand, told: Mapping[str, Any]) -> None:
    """What came of an import, in words."""
    command.stdout.write(
        f"{told['people']} people ({told['people_made']} new), {told['labels']} labels on "
        f"{told['faces']} faces ({told['boxes_drawn']} drawn), {told['unknown_photos']} photos are not in "
        "this library."
    )
    for reason, count in told["left_out"].items():
        command.stdout.write(f"  left out {count}: {reason}")


def _owner() -> Any:
    return get_user_model()(is_superuser=True)


def _person(text: str) -> Person:
    """Somebody by number or by name, whatever its case."""
    people: Sequence[Person]
    if text.isdecimal():
        people = list(Person.objects.active().filter(pk=int(text)))
    else:
        people = [one for one in Person.objects.active() if one.name.casefold() == text.casefold()]
    if not people:
        raise CommandError(f"Nobody is called “{text}”. `people list` lists everybody.")
    if len(people) > 1:
        numbers = ", ".join(str(person.pk) for person in people)
        raise CommandError(f"Several people are called “{text}”: say which by its number ({numbers}).")
    return people[0]


def _row(person: Person) -> dict[str, Any]:
    return {
        "id": person.pk,
        "name": person.name,
        "birth_date": person.birth_date,
        "hidden": person.hidden,
        "user": str(person.user) if person.user else None,
    }


def _face_row(face: Face) -> dict[str, Any]:
    taken = face.photo.taken_local
    return {
        "face": face.pk,
        "photo": face.photo_id,
        "taken": taken.date() if taken else None,
        "source": face.person_source,
    }


def _event_row(event: PeopleEvent) -> dict[str, Any]:
    return {
        "event": event.pk,
        "what": event.get_kind_display(),
        "by": str(event.by or "the program"),
        "at": event.at.replace(microsecond=0),
        "undone": event.undone_at is not None,
    }
