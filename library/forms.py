"""Forms of the library's pages and of its part of the admin."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm

from vision.imaging.dates import parse_offset

_SHIFT = re.compile(r"([+-]?)(\d{1,6}):([0-5]\d)", re.ASCII)


class OffsetField(forms.CharField):
    """``+02:00`` or ``Z`` as minutes ahead of UTC; None when empty."""

    def clean(self, value: Any) -> int | None:
        """Minutes."""
        text = super().clean(value)
        try:
            return parse_offset(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(f"{error}; write it as +02:00.") from error


class ShiftField(forms.CharField):
    """``+1:30`` or ``-24:00`` (hours and minutes) as a duration; zero when empty."""

    def clean(self, value: Any) -> timedelta:
        """The duration, negative for clocks that were fast."""
        text = super().clean(value)
        match = _SHIFT.fullmatch(text.replace(" ", ""))
        if text and match is None:
            raise forms.ValidationError(f"“{text[:40]}” is no shift; write it as +1:30 or -24:00.")
        if match is None:
            return timedelta()
        length = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return -length if match[1] == "-" else length


class TimeForm(forms.Form):
    """When one photo was taken, by the clock on the wall."""

    taken_local = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"invalid": "Write date and time as 2019-07-04T14:30."},
    )
    offset = OffsetField(required=False, max_length=9)

    def clean_taken_local(self) -> datetime | None:
        """The clock on the wall as the library stores it: as if it were UTC, whatever this server's zone."""
        value: datetime | None = self.cleaned_data["taken_local"]
        return value.replace(tzinfo=UTC) if value else None


class TimeActionForm(ActionForm):
    """What the admin's action for many photos asks beside its name."""

    shift = ShiftField(required=False, label="move clock by", max_length=12)
    offset = OffsetField(required=False, label="set offset to", max_length=9)
