"""The states of a photo and the moves between them, as data. Pure: no database, no clock.

The order of ``PIPELINE`` is the order of the pipeline. A photo may skip forward over steps that have nothing
to do (a re-run of one stale step), may be opened again when an engine changes, and goes back to the start
when its file changes or its preview is lost.
"""

from __future__ import annotations

from typing import Literal

from library.models import Photo

State = Photo.State
Lane = Literal["files", "models"]
LANES: tuple[Lane, ...] = ("files", "models")

PIPELINE: tuple[State, ...] = (State(Photo.State.PENDING), State.PREPROCESSING, *Photo.MODELS_LANE_STATES)
FINAL: frozenset[State] = frozenset(Photo.FINAL_STATES)


def _transitions() -> dict[State, frozenset[State]]:
    models = Photo.MODELS_LANE_STATES
    table = {
        State.PENDING: frozenset({State.PREPROCESSING, State.FAILED}),
        State.PREPROCESSING: frozenset({State.PENDING, *models, *FINAL}),
        State.COMPLETED: frozenset({State.PENDING, *models}),
        State.PARTIAL: frozenset({State.PENDING, *models}),
        State.FAILED: frozenset({State.PENDING, *models}),
    }
    for position, state in enumerate(models):
        later = models[position + 1 :]
        table[state] = frozenset({State.PENDING, *later, *FINAL})
    return table


TRANSITIONS: dict[State, frozenset[State]] = _transitions()


class ForbiddenTransition(Exception):  # noqa: N818 - named after what was tried
    """A move that the table does not know: a fault of the program, never of a photo."""


def check(before: str, after: str) -> None:
    """Raise ForbiddenTransition unless the table allows the move; staying is always allowed."""
    if before != after and State(after) not in TRANSITIONS[State(before)]:
        raise ForbiddenTransition(f"A photo cannot go from {before} to {after}.")


def later(before: str, after: str) -> State:
    """The later of two states of the pipeline: a step that is run late moves no photo backwards."""
    return max(State(before), State(after), key=PIPELINE.index)


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING.value}"]
    for before in (*PIPELINE, *Photo.FINAL_STATES):
        lines += [
            f"    {State(before).value} --> {after.value}"
            for after in (*PIPELINE, *Photo.FINAL_STATES)
            if State(after) in TRANSITIONS[State(before)]
        ]
    return "\n".join(lines)
