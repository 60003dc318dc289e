"""Which weights there are, where they lie, and whether they are what was downloaded.

A model lies in ``<cache>/<engine>/<id>``. Beside its files ``.weights.json`` records what each of them was
when it arrived. ``vision.weights_download`` writes that record; here it is only read.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from vision.errors import EngineUnavailable

MANIFEST = Path(__file__).with_name("weights.toml")
RECORD = ".weights.json"
PROFILES = ("light", "full", "alternative")

State = Literal["ready", "unfinished", "missing"]


class UnknownWeights(LookupError):  # noqa: N818
    """No profile, engine or model has this name."""


class WeightsMissing(EngineUnavailable):
    """Files of a model are not there, or not all of them."""


class WeightsDamaged(EngineUnavailable):
    """A file is not what was downloaded: half, changed, or another one."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model; size (bytes) and sha256 (hex) are None until they are known."""

    path: str
    size: int | None
    sha256: str | None
    sources: tuple[str, ...]

    def addresses(self, mirrors: Sequence[str] = ()) -> list[str]:
        """Where it can be had: each mirror with the path of each source, then the sources themselves."""
        own = [f"{source.rstrip('/')}/{self.path}" for source in self.sources]
        mirrored = [f"{mirror.rstrip('/')}{urlsplit(url).path}" for mirror in mirrors for url in own]
        return list(dict.fromkeys([*mirrored, *own]))


@dataclass(frozen=True, slots=True)
class Model:
    """The weights of one engine, as the manifest describes them."""

    id: str
    engine: str
    profile: str
    title: str
    licence: str
    non_commercial: bool
    homepage: str
    files: tuple[WeightFile, ...]

    @property
    def known_size(self) -> int:
        """Bytes of the files whose size is known."""
        return sum(file.size or 0 for file in self.files)

    @property
    def size_is_known(self) -> bool:
        """Whether no large file is missing from ``known_size`` (configuration files do not count)."""
        return all(file.size is not None for file in self.files if not file.path.endswith(".json"))

    @property
    def size_in_words(self) -> str:
        """To be compared with the free space."""
        return f"{self.known_size / 1e6:,.1f} MB" if self.size_is_known else "size known when it comes"

    @property
    def licence_in_words(self) -> str:
        """With the warning where there is one."""
        return f"Licence: {self.licence}" + (" (not for commercial use)" if self.non_commercial else "")

    @property
    def command(self) -> str:
        """What fetches and repairs it."""
        licence = " --accept-licence" if self.non_commercial else ""
        return f"manage.py download_models --profile {self.id}{licence}"

    def folder(self, cache_dir: Path) -> Path:
        """Where it lies."""
        return cache_dir / self.engine / self.id


@lru_cache(maxsize=4)
def manifest(path: Path = MANIFEST) -> tuple[Model, ...]:
    """All models. Raises ValueError naming the model when the file makes no sense."""
    with path.open("rb") as stream:
        entries = tomllib.load(stream)["model"]
    models = tuple(_model(entry) for entry in entries)
    if len({model.id for model in models}) != len(models):
        raise ValueError(f"{path} has an id twice.")
    return models


def _model(entry: dict[str, Any]) -> Model:
    files = tuple(_file(file, entry) for file in entry["files"])
    if entry["profile"] not in PROFILES:
        raise ValueError(f"{entry['id']}: profile must be one of {', '.join(PROFILES)}.")
    names = ("id", "engine", "profile", "title", "licence", "non_commercial", "homepage")
    return Model(**{name: entry[name] for name in names}, files=files)


def _file(file: dict[str, Any], entry: dict[str, Any]) -> WeightFile:
    path = PurePosixPath(file["path"])
    sources = tuple(file.get("sources") or entry.get("sources") or ())
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{entry['id']}: {path} leads out of the model's folder.")
    if not sources or not all(urlsplit(source).scheme in ("http", "https") for source in sources):
        raise ValueError(f"{entry['id']}: {path} has no source, or one that is no web address.")
    return WeightFile(str(path), file.get("size"), file.get("sha256"), sources)


def select(name: str, models: Sequence[Model] | None = None) -> list[Model]:
    """Models of a profile (``full`` includes ``light``), of an engine, or the one with this id.

    Of an engine: those of a profile; where it has alternatives alone, the only one. Raises UnknownWeights
    with a sentence that names the possible ones.
    """
    known = manifest() if models is None else tuple(models)
    usual = [model for model in known if model.profile != "alternative"]
    if name == "full":
        return usual
    found = [model for model in known if model.id == name]
    found = found or [model for model in usual if name in (model.profile, model.engine)]
    of_engine = [model for model in known if model.engine == name]
    if not found and len(of_engine) > 1:
        possible = ", ".join(model.id for model in of_engine)
        raise UnknownWeights(f"The engine {name} has several models; choose by id: {possible}.")
    if not found and not of_engine:
        engines = dict.fromkeys(model.engine for model in known)
        possible = ", ".join(dict.fromkeys(["light", "full", *engines, *(model.id for model in known)]))
        raise UnknownWeights(f"There are no weights {name!r}; there are {possible}.")
    return found or of_engine


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """What was recorded at the download, by file: ``size``, ``sha256``, ``source``. Empty when there is none.

    Raises WeightsDamaged when the record itself cannot be read.
    """
    path = folder / RECORD
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {
            str(name): {**row, "size": int(row["size"]), "sha256": str(row["sha256"])}
            for name, row in files.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsDamaged(
            f"{path} cannot be read ({error}).", "Delete it and run `manage.py download_models` again."
        ) from error


def present(model: Model, cache_dir: Path) -> list[str]:
    """Names of the files that are there with the size they should have. Reads no content."""
    folder = model.folder(cache_dir)
    record = read_record(folder)
    return [file.path for file in model.files if _wrong_size(file, folder, record) is None]


def state(model: Model, cache_dir: Path) -> State:
    """Whether all, some or none of the files are there. Reads no content."""
    there = len(present(model, cache_dir))
    if there == len(model.files):
        return "ready"
    parts = any(part_of(model.folder(cache_dir) / file.path).exists() for file in model.files)
    return "unfinished" if there or parts else "missing"


def part_of(path: Path) -> Path:
    """Where a file grows until it is whole."""
    return path.with_name(path.name + ".part")


def _wrong_size(
    file: WeightFile, folder: Path, record: dict[str, dict[str, Any]]
) -> EngineUnavailable | None:
    path = folder / file.path
    expected = record[file.path]["size"] if file.path in record else file.size
    try:
        size = path.stat().st_size
    except OSError:
        return WeightsMissing(f"{path} is missing.", "")
    if size == 0 or (expected is not None and size != expected):
        return WeightsDamaged(f"{path} has {size} bytes, not {expected or 'some'}.", "")
    return None


def verify(model: Model, cache_dir: Path, *, content: bool = True) -> None:
    """Hold every file against its record and the manifest; without ``content`` only sizes (a millisecond).

    Raises WeightsMissing or WeightsDamaged with the command that repairs.
    """
    folder = model.folder(cache_dir)
    record = read_record(folder)
    remedy = f"Run `{model.command}`."
    for file in model.files:
        problem = _wrong_size(file, folder, record)
        if problem is not None:
            raise type(problem)(problem.reason, remedy)
        expected = {file.sha256, record.get(file.path, {}).get("sha256")} - {None}
        if content and expected and {digest(folder / file.path)} != expected:
            raise WeightsDamaged(f"{folder / file.path} is not the file that belongs there (sha256).", remedy)


def check_file(path: Path) -> None:
    """Before a file of weights is loaded: hold it against the record of the folder it lies in.

    A file without a record, placed by a person, passes. Raises WeightsDamaged with the command that repairs,
    EngineUnavailable when the file may not be read.
    """
    for folder in list(path.parents)[:3]:
        if (folder / RECORD).is_file():
            row = read_record(folder).get(path.relative_to(folder).as_posix())
            if row is not None and not _is_recorded(path, row):
                model = next((model for model in manifest() if model.id == folder.name), None)
                command = model.command if model else "manage.py download_models"
                reason = f"{path} is not the file that was downloaded (sha256)."
                raise WeightsDamaged(reason, f"Run `{command}`.")
            return


def _is_recorded(path: Path, row: dict[str, Any]) -> bool:
    try:
        return bool(path.stat().st_size == row["size"] and digest(path) == row["sha256"])
    except OSError as error:
        raise EngineUnavailable(
            f"{path} cannot be read: {error.strerror or error}.",
            "Let the user that Heirloom runs as read it.",
        ) from error


def digest(path: Path) -> str:
    """The file's sha256 in hex; computed once a process for a file that does not change."""
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, changed: int, inode: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def downloaded(engine: str, cache_dir: Path) -> Path | None:
    """The folder of the engine's first finished model in the order of the manifest; None when none was begun.

    Reads no content. Raises WeightsMissing when one was begun and none has all its files in full size.
    """
    begun: Model | None = None
    for model in manifest():
        if model.engine == engine and model.folder(cache_dir).is_dir():
            found = state(model, cache_dir)
            if found == "ready":
                return model.folder(cache_dir)
            begun = begun or (model if found == "unfinished" else None)
    if begun is None:
        return None
    whole = len(present(begun, cache_dir))
    raise WeightsMissing(
        f"The download of {begun.id} is not finished ({whole} of {len(begun.files)} files).",
        f"Run `{begun.command}`.",
    )
