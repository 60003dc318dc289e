"""Name the faces that are clear, ask about those that are not, and leave the rest unknown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from library.models import EmbeddingSpace
from people.actions.guesses import record_found, withdraw_guesses
from people.locks import enter_gate, lock_faces_in
from people.models import Face, Suggestion
from people.suggestions import Candidate, Decisions, decide, is_open

#: The definition of what is done here; a new one is a reason to look at all faces again.
VERSION: Final = "recognition/1"
#: Photos of one transaction: people who answer meanwhile wait for one at most.
PHOTOS_AT_ONCE: Final = 200
#: A name that the program gave stays while it is this likely; a question comes back only below.
_KEEP_GUESS: Final = 0.8


@dataclass(frozen=True, slots=True)
class Recognised:
    """What became of open faces: newly named, asked about, unknown; and names taken back."""

    named: int = 0
    asked: int = 0
    unknown: int = 0
    withdrawn: int = 0

    def __add__(self, other: Recognised) -> Recognised:
        return Recognised(
            self.named + other.named,
            self.asked + other.asked,
            self.unknown + other.unknown,
            self.withdrawn + other.withdrawn,
        )


def recognise(
    *,
    photo_ids: Collection[int],
    should_stop: Callable[[], bool] | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> Recognised:
    """Decide anew about the open faces of these photos; what somebody said is not touched.

    A transaction for every PHOTOS_AT_ONCE photos: what is done stays done when it is stopped or breaks off.
    ``on_progress`` hears of the number of photos done just now.
    """
    whole = Recognised()
    for some in _batches(sorted(set(photo_ids)), PHOTOS_AT_ONCE):
        if should_stop is not None and should_stop():
            break
        whole += recognise_together(photo_ids=some)
        if on_progress is not None:
            on_progress(len(some))
    return whole


@transaction.atomic
def recognise_together(*, photo_ids: Sequence[int]) -> Recognised:
    """As ``recognise``, all or nothing."""
    enter_gate()
    faces = lock_faces_in(photo_ids)
    # What was answered is asked no more, whatever the answer was.
    Suggestion.objects.filter(face__in=[face.pk for face in faces if not is_open(face)]).delete()
    spaces = EmbeddingSpace.objects.select_related("calibration").order_by("pk")
    whole = Recognised()
    for number, space in enumerate(spaces.filter(pk__in={face.space_id for face in faces})):
        if number:
            # What was found by one engine holds for the next one.
            faces = lock_faces_in(photo_ids)
        whole += _carry_out(decide(faces, space), faces, space)
    return whole


def _carry_out(decisions: Decisions, faces: Collection[Face], space: EmbeddingSpace) -> Recognised:
    leaving = list(_guessed(decisions))
    if leaving:
        withdraw_guesses(face_ids=leaving)
    new = [one for one in decisions.named if one.face.guess != one.person_id]
    named = 0
    if new:
        event = record_found(
            assignments=[(one.face.pk, one.person_id, round(one.probability, 4)) for one in new],
            faces=faces,
            leaving=leaving,
            engine=f"{space.engine}/{space.model} {VERSION}",
        )
        named = event.data["faces"] if event else 0
    asked = _write_suggestions(decisions)
    return Recognised(named, asked, len(decisions.unknown), len(leaving))


def _guessed(decisions: Decisions) -> Iterator[int]:
    """Faces whose guess does not stand any more."""
    for pk, candidates in decisions.asked.items():
        guess = candidates[0].face.guess
        if guess is not None and not _stands(candidates[0]):
            yield pk
    yield from (face.pk for face in decisions.unknown if face.guess is not None)


def _stands(best: Candidate) -> bool:
    return best.face.guess == best.person_id and best.probability >= _KEEP_GUESS


def _write_suggestions(decisions: Decisions) -> int:
    """Replace what was suggested for these faces. Returns how many faces are asked about."""
    asked = {
        pk: candidates
        for pk, candidates in decisions.asked.items()
        if candidates[0].face.guess is None or not _stands(candidates[0])
    }
    unknown = [face.pk for face in decisions.unknown]
    decided = [*decisions.asked, *unknown, *(one.face.pk for one in decisions.named)]
    Suggestion.objects.filter(face__in=decided).delete()
    Suggestion.objects.bulk_create(
        one.as_row(rank) for candidates in asked.values() for rank, one in enumerate(candidates, start=1)
    )
    return len(asked)


def _batches(ids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])
