"""Why something about people was not done. Each text is an answer to a person: what, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from people.models import Face, Person


class PeopleRefused(Exception):  # noqa: N818 - an answer to a person
    """The common base; nothing was written."""


class AlreadyAnswered(PeopleRefused):
    """Somebody else was faster, or the face is gone: the question need not be asked any more.

    ``face_ids`` are the faces it is about.
    """

    def __init__(self, face_ids: Sequence[int], text: str = "") -> None:
        self.face_ids = list(face_ids)
        several = len(self.face_ids) > 1
        super().__init__(
            text or ("These faces were" if several else "This face was") + " answered meanwhile."
        )


class PersonGone(PeopleRefused):
    """The person was taken back, or merged into another meanwhile."""


class TwiceInPhoto(PeopleRefused):
    """The name is another face's in the same photo. ``other_id`` is that face: the name can move from it."""

    def __init__(self, person: Person, face_id: int, other_id: int) -> None:
        self.person, self.face_id, self.other_id = person, face_id, other_id
        super().__init__(
            f"{person.name} is another face in this photo already, and nobody is in a photo twice. "
            "Move the name to this face, or leave it there."
        )


class BeforeBirth(PeopleRefused):
    """The photo is older than the person. Either date may be the wrong one."""

    def __init__(self, person: Person, face_id: int, taken: date) -> None:
        self.person, self.face_id, self.taken = person, face_id, taken
        super().__init__(
            f"{person.name} was born on {person.birth_date}, and this photo was taken on {taken}. "
            "Correct the date of birth or the date of the photo first."
        )


class Rejected(PeopleRefused):
    """Somebody said that the face is not this person."""

    def __init__(self, person: Person, face_id: int) -> None:
        self.person, self.face_id = person, face_id
        super().__init__(f"Somebody said that this face is not {person.name}.")


class FaceThere(PeopleRefused):
    """There is a box at this place. ``face`` is that one."""

    def __init__(self, face: Face) -> None:
        self.face = face
        super().__init__("There is a face at this place already: name that one, or move its box.")


class BadBox(PeopleRefused):
    """The box is no rectangle inside the photo."""


class BadName(PeopleRefused):
    """Nobody is called like that."""


class MergeRefused(PeopleRefused):
    """The people cannot be merged as it is; ``conflicts`` say why."""

    def __init__(self, text: str, conflicts: Sequence[object] = ()) -> None:
        self.conflicts = list(conflicts)
        super().__init__(text)


class CannotUndo(PeopleRefused):
    """Something that came later builds on it; the text names it."""
