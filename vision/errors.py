"""The errors of the vision floor; all of them carry a message a person can act on."""

from __future__ import annotations


class VisionError(Exception):
    """Base of everything the vision floor raises on purpose."""


class EngineUnavailable(VisionError):  # noqa: N818 - a state that is reported, not a fault
    """An engine cannot run here: its weights or its package are missing.

    ``reason`` says what is missing, ``remedy`` which command or setting helps.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}".strip())
        self.reason = reason
        self.remedy = remedy


class EngineFailed(VisionError):  # noqa: N818
    """An engine that is available failed on this input."""


class ImageRejected(VisionError):  # noqa: N818
    """A picture cannot be decoded or is refused (pixel limit, empty, unsupported); says why."""
