"""``manage.py download_models``: fetch, list and check the weights of the engines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from ingest.console import print_json
from vision.errors import EngineUnavailable
from vision.weights import Model, UnknownWeights, WeightFile, manifest, select, state, verify
from vision.weights_download import Downloader, DownloadFailed, Progress


class Command(BaseCommand):
    """Weights into MODEL_CACHE_DIR. Safe to repeat: what is there and right stays."""

    help = "Fetch weights of engines, with sizes and licences; go on where an earlier run stopped; repair."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Options."""
        parser.add_argument(
            "--profile", metavar="NAME", help="light (default), full, an engine, or the id of a model."
        )
        parser.add_argument("--list", action="store_true", help="Only say what there is.")
        parser.add_argument(
            "--check", action="store_true", help="Only hold the files against their checksums. No network."
        )
        parser.add_argument(
            "--accept-licence",
            action="store_true",
            help="Also fetch weights whose licence forbids commercial use (or set ACCEPT_NON_COMMERCIAL).",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """List, check or fetch."""
        name: str | None = options["profile"]
        self.cache = Path(settings.MODEL_CACHE_DIR)
        try:
            if options["list"]:
                self._list(select(name) if name else list(manifest()), as_json=options["json"])
            elif options["check"]:
                self._check(select(name) if name else self._on_disk(), as_json=options["json"])
            else:
                accepted = options["accept_licence"] or settings.ACCEPT_NON_COMMERCIAL
                self._fetch(name or "light", accepted=accepted, as_json=options["json"])
        except UnknownWeights as error:
            raise CommandError(str(error)) from error

    def _on_disk(self) -> list[Model]:
        return [model for model in manifest() if self._row(model)["state"] != "missing"]

    def _list(self, models: list[Model], *, as_json: bool) -> None:
        rows = [self._row(model) for model in models]
        if as_json:
            print_json(self, {"models": rows})
            return
        for model, row in zip(models, rows, strict=True):
            self.stdout.write(f"{model.id}  ({model.engine}, {model.profile}, {row['state']})")
            self.stdout.write(f"  {model.title}. {_size_and_licence(model)}. {model.homepage}")

    def _check(self, models: list[Model], *, as_json: bool) -> None:
        problems = {model.id: problem for model in models if (problem := self._problem(model))}
        if as_json:
            rows = [{**self._row(model), "problem": problems.get(model.id)} for model in models]
            print_json(self, {"models": rows})
        else:
            for model in models:
                self.stdout.write(f"{model.id}: {problems.get(model.id, 'right')}")
            if not models:
                self.stdout.write(f"There are no downloaded weights in {self.cache}.")
        if problems:
            raise CommandError(f"{len(problems)} of {len(models)} cannot be used as they are.")

    def _problem(self, model: Model) -> str | None:
        try:
            verify(model, self.cache)
        except EngineUnavailable as error:
            return str(error)
        return None

    def _fetch(self, name: str, *, accepted: bool, as_json: bool) -> None:
        models = select(name)
        refused = [model for model in models if model.non_commercial and not accepted]
        wanted = [model for model in models if model not in refused]
        for model in refused:
            licence = f"{model.licence_in_words} ({model.homepage})"
            reason = f"{model.id} is left out: {licence}. Add --accept-licence to get it."
            if not wanted:
                raise CommandError(reason)
            self.stderr.write(reason)
        fetched: dict[str, list[str]] = {}
        problems: list[str] = []
        for model in wanted:
            # One that cannot be had keeps none of the others from coming.
            try:
                fetched[model.id] = self._get(model)
            except (DownloadFailed, EngineUnavailable) as error:
                problems.append(str(error))
        if problems:
            raise CommandError("\n\n".join(problems))
        if as_json:
            rows = [{**self._row(model), "fetched": fetched[model.id]} for model in wanted]
            print_json(self, {"models": rows, "left_out": [model.id for model in refused]})

    def _get(self, model: Model) -> list[str]:
        self.stderr.write(f"{model.id}: {model.title}. {_size_and_licence(model)}.")
        try:
            with progress_bars() as show:
                fetched = Downloader(self.cache, settings.MODEL_MIRRORS, progress=show).get(model)
        except KeyboardInterrupt as error:
            message = f"Stopped. What has come is kept: `{model.command}` goes on there."
            raise CommandError(message, returncode=130) from error
        files = f"{len(fetched)} files fetched" if fetched else "everything was there"
        self.stderr.write(f"  {files}: {model.folder(self.cache)}")
        return fetched

    def _row(self, model: Model) -> dict[str, Any]:
        names = ("id", "engine", "profile", "title", "licence", "non_commercial", "homepage")
        try:
            found: str = state(model, self.cache)
        except EngineUnavailable:
            found = "damaged"
        return {
            **{name: getattr(model, name) for name in names},
            "bytes": model.known_size if model.size_is_known else None,
            "state": found,
            "folder": str(model.folder(self.cache)),
            "files": [file.path for file in model.files],
        }


def _size_and_licence(model: Model) -> str:
    return f"{model.size_in_words}. {model.licence_in_words}"


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar a file on stderr at a terminal; a line a file in a log."""
    bars: dict[str, tqdm[Any]] = {}

    def show(file: WeightFile, done: int, total: int | None) -> None:
        if file.path not in bars:
            for bar in bars.values():
                bar.close()
            bars[file.path] = tqdm(
                desc=f"  {file.path}", total=total, initial=done, unit="B", unit_scale=True, disable=None
            )
            if not sys.stderr.isatty():
                size = f" ({total / 1e6:,.1f} MB)" if total else ""
                print(f"  {file.path}{size}", file=sys.stderr)
        bar = bars[file.path]
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()
