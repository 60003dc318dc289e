"""One deed of a person or of the program: its event, its labels, and what follows from them.

All actions are made of this. ``finish`` brings faces in line with their labels, holds the hard rules, and
looks after covers and prototypes of faces that are somebody else's now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Q, QuerySet

from people.derivation import derive
from people.models import FaceLabel, PeopleEvent, Person, Prototype
from people.refusals import PersonGone
from people.rules import giving_way

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

Verdict, Source = FaceLabel.Verdict, FaceLabel.Source
#: Verdicts that take the place of each other: a face has one of them in force at most.
ANSWERS = (Verdict.CONFIRMED, *FaceLabel.MARKS)
_REVOKE_ANSWERS = """
UPDATE people_facelabel SET revoked_by_id = %s
WHERE face_id = ANY(%s) AND revoked_by_id IS NULL AND verdict = ANY(%s)
RETURNING face_id
"""
#: What a good face is made of, to make it again.
PROTOTYPE = ("person_id", "face_id", "age_era", "year", "quality", "pinned")


class Deed:
    """An event in the making. Used inside a transaction, behind the gate, with the faces locked."""

    def __init__(
        self, kind: str, *, by: AbstractBaseUser | None, person: Person | None = None, **data: Any
    ) -> None:
        self.event = PeopleEvent.objects.create(
            kind=kind, by_id=by.pk if by else None, person=person, data=dict(data)
        )
        self.data: dict[str, Any] = data
        self.faces: set[int] = set()
        self._taken: set[int] = set()

    def say(
        self,
        face_ids: Iterable[int],
        verdict: str,
        person: Person | None = None,
        source: str = Source.HUMAN_CONFIRMED,
    ) -> None:
        """Write one label a face."""
        self.write(
            FaceLabel(face_id=pk, person=person, verdict=verdict, source=source, by_id=self.event.by_id)
            for pk in face_ids
        )

    def write(self, labels: Iterable[FaceLabel]) -> None:
        """Write these labels as part of this deed."""
        written = list(labels)
        for label in written:
            label.event = self.event
        FaceLabel.objects.bulk_create(written)
        self.faces.update(label.face_id for label in written)

    def revoke(self, labels: QuerySet[FaceLabel]) -> int:
        """Put labels out of force. Returns how many there were."""
        found = dict(labels.filter(revoked_by__isnull=True).values_list("pk", "face_id"))
        FaceLabel.objects.filter(pk__in=found).update(revoked_by=self.event)
        self.faces.update(found.values())
        return len(found)

    def revoke_answers(self, face_ids: Collection[int]) -> int:
        """Put what was said about these faces out of force, but for rejections."""
        with connection.cursor() as cursor:
            cursor.execute(_REVOKE_ANSWERS, [self.event.pk, list(face_ids), list(ANSWERS)])
            revoked = [face for (face,) in cursor.fetchall()]
        self.faces.update(revoked)
        return len(revoked)

    def change(self, person: Person, **fields: Any) -> None:
        """Set fields of a person; undo sets them back."""
        new = {name: value for name, value in fields.items() if getattr(person, name) != value}
        if not new:
            return
        before = {name: getattr(person, name) for name in new}
        for name, value in new.items():
            setattr(person, name, value)
        person.save(update_fields=list(new))
        change = {"person": person.pk, "before": _plain(before), "after": _plain(new)}
        self.data.setdefault("changes", []).append(change)

    def finish(self, *, rules_hold: bool = False) -> PeopleEvent:
        """Derive, hold the rules, tidy up, and store the event. Raises what ``people.rules`` refuses.

        ``rules_hold``: the caller has looked at all faces of the photos since they were locked, and nothing
        that is said here meets any rule.
        """
        self._derive(self.faces)
        # A name that goes may uncover a weaker one of another source, which is judged in the next round.
        while not rules_hold and (losing := giving_way(self.faces)):
            self.revoke(FaceLabel.objects.filter(face__in=losing, verdict=Verdict.CONFIRMED))
            self._derive(losing)
        # What was nobody's face was no cover and no prototype; undo may just have made it one again.
        touched = self._taken if rules_hold else self.faces
        if touched:
            self._tidy_covers(touched)
            self._tidy_prototypes(touched)
        if self.event.data != self.data:
            self.event.data = self.data
            self.event.save(update_fields=["data"])
        return self.event

    def _derive(self, face_ids: Collection[int]) -> None:
        self._taken.update(pk for pk, person_id in derive(face_ids).items() if person_id is not None)

    def _tidy_covers(self, face_ids: Collection[int]) -> None:
        """Nobody keeps somebody else's face as cover."""
        strange = ~Q(cover__person=F("pk")) | Q(cover__person__isnull=True)
        people = Person.objects.active().filter(strange, cover__in=face_ids)
        covers = [[pk, cover] for pk, cover in people.values_list("pk", "cover_id")]
        if covers:
            Person.objects.filter(pk__in=[pk for pk, _ in covers]).update(cover=None)
            self.data.setdefault("covers", []).extend(covers)

    def _tidy_prototypes(self, face_ids: Collection[int]) -> None:
        """A good face goes along with its name, and goes when nobody is named."""
        found = Prototype.objects.filter(face__in=face_ids).exclude(person=F("face__person"))
        for prototype in found.select_related("face").order_by("pk"):
            person_id = prototype.face.person_id
            if person_id is not None:
                Prototype.objects.filter(pk=prototype.pk).update(person=person_id)
                continue
            row = {name: getattr(prototype, name) for name in PROTOTYPE}
            self.data.setdefault("prototypes", []).append(row)
            prototype.delete()


def standing(person: Person | int) -> Person:
    """The person as it is now, after merges. Raises PersonGone for somebody who was taken back."""
    pk = person if isinstance(person, int) else person.pk
    found = Person.objects.select_related("merged_into").filter(pk=pk).first()
    if found is not None and found.merged_into is not None:
        found = found.merged_into
    if found is None or found.removed:
        raise PersonGone("This person is not there any more.")
    return found


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
