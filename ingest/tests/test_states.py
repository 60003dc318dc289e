"""The moves between the states."""

from __future__ import annotations

import itertools

import pytest

from ingest import states
from ingest.models import StepRun
from ingest.pipeline import STEPS
from ingest.states import FINAL, PIPELINE, TRANSITIONS, ForbiddenTransition
from library.models import Photo

State = Photo.State


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(PIPELINE) | FINAL == set(State)


def test_every_move_that_is_not_in_the_table_is_refused() -> None:
    for before, after in itertools.product(State, State):
        if before == after or after in TRANSITIONS[before]:
            states.check(before, after)
        else:
            with pytest.raises(ForbiddenTransition, match=f"from {before} to {after}"):
                states.check(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.PENDING, State.COMPLETED),
        (State.PENDING, State.PROCESSING_OCR),
        (State.PROCESSING_HASH, State.PROCESSING_OBJECTS),
        (State.COMPLETED, State.FAILED),
        (State.PARTIAL, State.COMPLETED),
    ],
)
def test_no_photo_skips_reading_or_goes_backwards(before: State, after: State) -> None:
    with pytest.raises(ForbiddenTransition):
        states.check(before, after)


def test_every_photo_can_be_read_again() -> None:
    """An edited file and a lost preview send a photo back to the start from wherever it is."""
    assert all(State.PENDING in after for before, after in TRANSITIONS.items() if before != State.PENDING)


def test_states_are_strings_of_the_database_too() -> None:
    states.check("pending", "preprocessing")
    with pytest.raises(ForbiddenTransition):
        states.check("pending", "completed")


def test_the_steps_follow_the_order_of_the_states_and_of_the_ledger() -> None:
    assert tuple(step.state for step in STEPS) == PIPELINE[2:]
    assert [StepRun.Step.PREPROCESSING, *(step.name for step in STEPS)] == list(StepRun.Step)


def test_the_diagram_shows_the_table() -> None:
    lines = [line.strip() for line in states.mermaid().splitlines()]
    assert lines[:2] == ["stateDiagram-v2", "[*] --> pending"]
    drawn = {tuple(line.split(" --> ")) for line in lines[2:]}
    assert drawn == {(before.value, after.value) for before, row in TRANSITIONS.items() for after in row}
