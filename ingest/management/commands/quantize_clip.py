"""``manage.py quantize_clip``: a CLIP folder to one with 8-bit weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from ingest.console import print_json
from library.engines import engine_config
from library.models import Photo
from library.storage import rendition_path
from vision.embedders.parity import drawn_pictures
from vision.embedders.quantize import MIN_COSINE, QuantizeReport, quantize_clip
from vision.errors import ImageRejected, VisionError
from vision.imaging.open import load_rgb
from vision.results import RGBImage

#: Enough to find a model that suffers; one picture takes up to a second with the larger models.
PICTURES = 24
_LONG_EDGE = 1024


class Command(BaseCommand):
    """The new folder belongs to the space of its source: changing over makes nothing stale."""

    help = "Write the int8 version of a CLIP folder (exported or downloaded); refused when it loses too much."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Where from, where to."""
        parser.add_argument("source", type=Path, help="A CLIP folder: CLIP_ONNX_DIR or a downloaded one.")
        parser.add_argument("folder", type=Path, help="A new folder.")
        parser.add_argument(
            "--pictures", type=Path, metavar="FOLDER", help="Compare on these, not on photos of the library."
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Quantise, or say why not."""
        target: Path = options["folder"].absolute()
        pictures, origin = self._pictures(options["pictures"])
        try:
            report = quantize_clip(options["source"].absolute(), target, engine_config(), pictures)
        except VisionError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(self, {**_row(report), "compared_on": f"{len(pictures)} {origin}"})
            return
        found = report.agreement
        self.stdout.write(
            f"Cosine to the source on {len(pictures)} {origin}: lowest {found.pictures_lowest:.4f}, mean "
            f"{found.pictures_mean:.4f}; on texts: lowest {found.texts_lowest:.4f}, mean "
            f"{found.texts_mean:.4f} (at least {MIN_COSINE} passes)."
        )
        self.stdout.write(
            f"{target}: {report.size / 1e6:,.0f} MB, was {report.size_before / 1e6:,.0f} MB. "
            f"Set CLIP_ONNX_DIR={target} to use it."
        )

    def _pictures(self, folder: Path | None) -> tuple[list[RGBImage], str]:
        if folder is not None:
            if not folder.is_dir():
                raise CommandError(f"--pictures names {folder}, which is no folder.")
            found = _read(sorted(path for path in folder.rglob("*") if path.is_file()))
            if not found:
                raise CommandError(f"--pictures names {folder}, where no picture can be read.")
            return found, "pictures of the folder"
        try:
            hashes = list(
                Photo.objects.exclude(sha256=None).order_by("-pk").values_list("sha256", flat=True)[:200]
            )
        except DatabaseError:
            hashes = []  # a model can be made before there is a library
        found = _read(rendition_path(sha256, "preview") for sha256 in hashes if sha256)
        if found:
            return found, "photos of the library"
        return drawn_pictures(), "drawn pictures (better: --pictures with photos)"


def _read(paths: Iterable[Path]) -> list[RGBImage]:
    """The first of these that can be read."""
    pictures: list[RGBImage] = []
    for path in paths:
        try:
            pictures.append(load_rgb(path, _LONG_EDGE))
        except (OSError, ImageRejected):
            continue
        if len(pictures) == PICTURES:
            break
    return pictures


def _row(report: QuantizeReport) -> dict[str, Any]:
    found = report.agreement
    return {
        "folder": report.folder,
        "space": f"{report.space.engine}/{report.space.model}",
        "bytes": report.size,
        "bytes_before": report.size_before,
        "cosine": {
            "pictures": {"lowest": found.pictures_lowest, "mean": found.pictures_mean},
            "texts": {"lowest": found.texts_lowest, "mean": found.texts_mean},
        },
    }
