"""Statements of Django's inside statements of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def named(statement: str, values: tuple[Any, ...], prefix: str = "eligible") -> tuple[str, Mapping[str, Any]]:
    """A statement as Django gives it (``query.sql_with_params()``) with names for its parameters."""
    names = iter(f"{prefix}_{number}" for number in range(len(values)))
    text = re.sub(r"%(%|s)", lambda match: "%%" if match[1] == "%" else f"%({next(names)})s", statement)
    return text, {f"{prefix}_{number}": value for number, value in enumerate(values)}
