"""Typed values out of a mapping of environment variables, with every problem collected into one message."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class SettingError(ImproperlyConfigured):
    """One or more variables hold values that cannot be used; the message names each of them."""


class VariableReader:
    """Takes variables out of a mapping, collecting what is wrong instead of stopping at the first."""

    def __init__(self, variables: Mapping[str, str], base_dir: Path) -> None:
        self.variables = variables
        self.base_dir = base_dir
        self.problems: list[str] = []

    def refuse(self, name: str, value: object, allowed: str) -> None:
        """Note that ``name`` cannot be used."""
        self.problems.append(f"{name}={value!r}: {allowed}")

    def raw(self, name: str) -> str | None:
        """The stripped value; None when the variable is absent or empty."""
        return self.variables.get(name, "").strip() or None

    def parsed(self, name: str, default: T, parse: Callable[[str], T], allowed: str) -> T:
        """The value through ``parse``; the default when absent. A ValueError is noted as wrong."""
        value = self.raw(name)
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError:
            self.refuse(name, value, allowed)
            return default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in ``low..high``; underscores may group its digits."""
        number = self.parsed(name, default, int, f"a whole number from {low} to {high} is needed")
        if not low <= number <= high:
            self.refuse(name, number, f"a whole number from {low} to {high} is needed")
        return number

    def fraction(self, name: str, default: float) -> float:
        """A confidence between 0 and 1."""
        number = self.parsed(name, default, float, "a number from 0 to 1 is needed, such as 0.5")
        if not 0 <= number <= 1:
            self.refuse(name, number, "a number from 0 to 1 is needed, such as 0.5")
        return number

    def boolean(self, name: str, *, default: bool) -> bool:
        """A switch; only the words that are clearly yes or no."""
        words = {
            **dict.fromkeys(("true", "yes", "on", "1"), True),
            **dict.fromkeys(("false", "no", "off", "0"), False),
        }
        value = self.raw(name)
        if value is None:
            return default
        if value.lower() not in words:
            self.refuse(name, value, "true or false is needed (also yes, no, on, off, 1, 0)")
        return words.get(value.lower(), default)

    def choice(self, name: str, default: str, options: tuple[str, ...]) -> str:
        """One of ``options``, in any case."""
        value = self.raw(name) or default
        for option in options:
            if option.lower() == value.lower():
                return option
        self.refuse(name, value, f"one of {', '.join(options)} is needed")
        return default

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A comma separated list, in its order, without empty entries."""
        value = self.raw(name)
        if value is None:
            return default
        return tuple(word.strip() for word in value.split(",") if word.strip())

    def path(self, name: str, default: Path) -> Path:
        """A folder; ``~`` is the home folder, a relative path starts at the project's root."""
        value = self.raw(name)
        return default if value is None else self.resolve(value)

    def optional_path(self, name: str) -> Path | None:
        """A file or folder that a person may name; None when the variable is absent."""
        value = self.raw(name)
        return None if value is None else self.resolve(value)

    def resolve(self, text: str) -> Path:
        """The absolute path that was meant."""
        return Path(os.path.abspath(self.base_dir / Path(text).expanduser()))  # noqa: PTH100 - keeps symlinks

    def folders(self, name: str) -> tuple[Path, ...]:
        """Folders separated by commas or the system's path separator; a folder that exists is taken whole."""
        value = self.raw(name)
        if value is None:
            return ()
        if self.resolve(value).is_dir():
            return (self.resolve(value),)
        parts = re.split(f"[,{re.escape(os.pathsep)}]", value)
        return tuple(self.resolve(part.strip()) for part in parts if part.strip())

    def secret(self, name: str) -> str | None:
        """The value of ``name``, or the content of the file that ``name_FILE`` points to."""
        value, file_name = self.raw(name), self.raw(f"{name}_FILE")
        if file_name is None:
            return value
        if value is not None:
            self.problems.append(f"{name} and {name}_FILE are both set: keep one of them")
            return value
        try:
            content = self.resolve(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.refuse(f"{name}_FILE", file_name, f"the file cannot be read ({error})")
            return None
        if not content:
            self.refuse(f"{name}_FILE", file_name, "the file is empty")
        return content or None

    def stop_if_wrong(self) -> None:
        """Raise SettingError when anything was noted."""
        if self.problems:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            raise SettingError(f"Settings that cannot be used (see .env.example):\n{lines}")
