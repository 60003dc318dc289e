"""Take an event back, for as long as nothing that people did later builds on it.

What the event said goes out of force, what it put out of force is in force again, and what it changed on
people, boxes and pairs is as it was. Guesses and imported names that stand in the way give way; anything a
person said does not.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from library.models import EmbeddingSpace
from people.actions.deed import ANSWERS, Deed, Source, Verdict
from people.locks import enter_alone, lock_photos_of
from people.models import Face, FaceLabel, NotSame, PeopleEvent, Person, Prototype
from people.refusals import CannotUndo, PeopleRefused
from people.rules import STRENGTH, before_birth, rejected_pairs

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    By: TypeAlias = AbstractBaseUser | None

Kind = PeopleEvent.Kind
#: Deeds of the program: what people said about their faces since stays as it is, the rest is taken back.
_PROGRAM: Final = (Kind.GUESS, Kind.WITHDRAW, Kind.IMPORT)
#: Deeds that build on a person's being there.
_ON_PERSON: Final = (Kind.RENAME, Kind.EDIT, Kind.SET_COVER, Kind.PIN, Kind.MERGE, Kind.SPLIT)
#: Where a later change by somebody is kept, instead of refusing to undo.
_LENIENT: Final = ("notes", "cover_id")


@transaction.atomic
def undo(*, event: PeopleEvent, by: By) -> PeopleEvent:
    """Take this event back. Returns the event of doing so. Raises CannotUndo with what stands against it."""
    enter_alone()
    event = PeopleEvent.objects.get(pk=event.pk)
    if event.undone_at is not None:
        raise CannotUndo("It was taken back already.")
    if event.kind == Kind.UNDO:
        raise CannotUndo("What was taken back can be done again, but not be brought back by undoing.")
    deed = Deed(Kind.UNDO, by=by, person=event.person, of=event.pk, undid=event.kind)
    try:
        with transaction.atomic():
            _take_back(event, deed)
            undoing = deed.finish()
            _bring_back(event)
    except CannotUndo:
        raise
    except PeopleRefused as refused:
        raise CannotUndo(f"It cannot be taken back any more. {refused}") from refused
    event.undone_at, event.undone_by = timezone.now(), undoing
    event.save(update_fields=["undone_at", "undone_by"])
    return undoing


def _take_back(event: PeopleEvent, deed: Deed) -> None:
    _refuse_if_answered_again(event)
    faces = FaceLabel.objects.filter(Q(event=event) | Q(revoked_by=event)).values_list("face_id", flat=True)
    deed.faces |= set(faces)
    if event.kind == Kind.MERGE:
        merged = FaceLabel.objects.in_force().about([event.person_id or 0])
        deed.faces |= set(merged.values_list("face_id", flat=True))
    lock_photos_of(deed.faces)
    deed.revoke(event.labels.all())
    _restore_people(event, deed)
    _restore_pairs(event)
    _reinstate(event, deed)
    _restore_pin(event)
    _restore_boxes(event)


def _refuse_if_answered_again(event: PeopleEvent) -> None:
    """What it said is said differently by now, or taken back by something else than its undo."""
    if event.kind in _PROGRAM:
        return
    later = (
        event.labels.filter(revoked_by__isnull=False).exclude(revoked_by=event).select_related("revoked_by")
    )
    if (label := later.first()) is not None and label.revoked_by is not None:
        raise CannotUndo(f"A face of it was answered again since then: {_told(label.revoked_by)}.")


def _restore_people(event: PeopleEvent, deed: Deed) -> None:
    if created := event.data.get("created"):
        _remove(Person.objects.get(pk=created), event, deed)
    for change in reversed(event.data.get("changes", [])):
        person = Person.objects.get(pk=change["person"])
        fields: dict[str, Any] = {}
        for name, value in change["before"].items():
            if _plain(getattr(person, name)) == change["after"][name]:
                fields[name] = _as_field(name, value)
            elif name not in _LENIENT:
                raise CannotUndo(f"{person.name} was changed again since then.")
        account = fields.get("user_id")
        if account and Person.objects.filter(user=account).exclude(pk=person.pk).exists():
            raise CannotUndo(f"The account of {person.name} is somebody else's by now.")
        deed.change(person, **fields)
        # Also of somebody who comes back from a merge: their cover may have lost its name meanwhile.
        deed.faces.update(pk for pk in (fields.get("cover_id"), person.cover_id) if pk)
        if "birth_date" in fields:
            deed.faces.update(before_birth(list(person.faces.values_list("pk", flat=True)), person))


def _remove(person: Person, event: PeopleEvent, deed: Deed) -> None:
    """The person goes as it came, unless somebody has done something with it."""
    later = PeopleEvent.objects.filter(
        Q(person=person) | Q(data__of=person.pk, kind=Kind.SPLIT),
        kind__in=_ON_PERSON,
        undone_at__isnull=True,
    ).exclude(pk=event.pk)
    if (next_event := later.first()) is not None:
        raise CannotUndo(f"{person.name} was changed since then: {_told(next_event)}.")
    said = FaceLabel.objects.in_force().filter(person=person, verdict=Verdict.CONFIRMED).exclude(event=event)
    strong = said.exclude(source=Source.MODEL_GUESS).count()
    if strong or person.merged_into_id or person.imported_names.exists():
        raise CannotUndo(f"{person.name} was named in more photos since then.")
    deed.revoke(said)
    deed.change(person, removed=True, user_id=None)


def _restore_pairs(event: PeopleEvent) -> None:
    if pair := event.data.get("not_same"):
        NotSame.objects.filter(one=pair[0], two=pair[1], event=event).delete()
    for one, two, said_by in event.data.get("maybe_same", []):
        people = Person.objects.in_bulk([one, two])
        if people[one].final_id == people[two].final_id:
            raise CannotUndo("The two are one person by now.")
        NotSame.objects.get_or_create(one_id=one, two_id=two, defaults={"event_id": said_by})


def _reinstate(event: PeopleEvent, deed: Deed) -> None:
    """Put what the event had put out of force in force again, each beside what is said by now."""
    revoked = event.revoked_labels.exclude(event=event)
    back = list(revoked.select_related("person").order_by("pk"))
    faces = {label.face_id for label in back}
    rejected = rejected_pairs(faces)
    now = FaceLabel.objects.in_force().filter(face__in=faces, verdict__in=ANSWERS)
    answers = {label.face_id: label for label in now.select_related("person", "event__by")}
    out: list[FaceLabel] = []
    for label in back:
        answer = answers.get(label.face_id)
        if label.verdict == Verdict.REJECTED:
            same = answer is not None and answer.final_id == label.final_id
            outdone = [_weaker(label, answer)] if answer and same else []
        elif (label.face_id, label.final_id) in rejected and label.source == Source.HUMAN_CONFIRMED:
            # A weaker name may come back: the rejection hides it, as it may have done before.
            raise CannotUndo("Somebody said since then that a face of it is not this person.")
        else:
            outdone = [_weaker(label, answer)] if answer else []
        out += outdone
    gone = {label.pk for label in out}
    FaceLabel.objects.filter(pk__in={label.pk for label in back} - gone).update(revoked_by=None)
    FaceLabel.objects.filter(pk__in=gone).update(revoked_by=deed.event)


def _weaker(label: FaceLabel, answer: FaceLabel) -> FaceLabel:
    """Which of the two goes. Raises CannotUndo when people said both."""
    old, new = STRENGTH[Source(label.source)], STRENGTH[Source(answer.source)]
    if old == new == STRENGTH[Source.HUMAN_CONFIRMED]:
        told = f": {_told(answer.event)}" if answer.event else ""
        raise CannotUndo(f"A face of it was answered again since then{told}.")
    return answer if old > new else label


def _restore_pin(event: PeopleEvent) -> None:
    if (pin := event.data.get("pin")) is None:
        return
    prototype = Prototype.objects.filter(face=pin["face"]).first()
    if prototype is None or prototype.pinned != pin["after"]:
        raise CannotUndo("The face was pinned or unpinned again since then, or lost its name.")
    if pin["before"] is None:
        prototype.delete()
    else:
        prototype.pinned = pin["before"]
        prototype.save(update_fields=["pinned"])


def _restore_boxes(event: PeopleEvent) -> None:
    if drawn := event.data.get("drawn"):
        said = FaceLabel.objects.in_force().filter(face=drawn).exclude(source=Source.MODEL_GUESS)
        moved = PeopleEvent.objects.filter(
            kind=Kind.MOVE_BOX, undone_at__isnull=True, data__moved__face=drawn
        )
        if said.exists() or moved.exists():
            raise CannotUndo("The face that was drawn was named or moved since then.")
        Face.objects.filter(pk=drawn).delete()
    if moved_box := event.data.get("moved"):
        face = Face.objects.filter(pk=moved_box["face"], **moved_box["after"]).first()
        if face is None:
            raise CannotUndo("The box was moved again since then, or is gone.")
        fields = moved_box["before"] | _seen_before(face, moved_box.get("seen"))
        Face.objects.filter(pk=face.pk).update(**fields)


def _seen_before(face: Face, seen: dict[str, Any] | None) -> dict[str, Any]:
    """What engines had seen at the old place, unless they have seen something at the new one or are gone."""
    if seen is None or face.embedding is not None:
        return {}
    return seen if EmbeddingSpace.objects.filter(pk=seen["space_id"]).exists() else {}


def _bring_back(event: PeopleEvent) -> None:
    """Covers and good faces that had gone with their names, where nothing took their place."""
    for person_id, face_id in event.data.get("covers", []):
        if Face.objects.filter(pk=face_id, person=person_id).exists():
            Person.objects.filter(pk=person_id, cover__isnull=True).update(cover=face_id)
    for row in event.data.get("prototypes", []):
        face = Face.objects.filter(pk=row["face_id"], person=row["person_id"]).first()
        if face is not None and not Prototype.objects.filter(face=face).exists():
            Prototype.objects.create(**row)


def _told(event: PeopleEvent) -> str:
    who = event.by or "the program"
    return f"{event.get_kind_display()} by {who} at {timezone.localtime(event.at):%Y-%m-%d %H:%M}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _as_field(name: str, value: Any) -> Any:
    """A value of the event as the person's field takes it; what it points to may be gone."""
    if name == "birth_date" and value:
        return date.fromisoformat(value)
    if name == "cover_id" and not Face.objects.filter(pk=value).exists():
        return None
    if name == "user_id" and not get_user_model().objects.filter(pk=value).exists():
        return None
    return value
