"""``manage.py export_clip``: an OpenCLIP model on torch to a folder for ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.console import print_json
from library.engines import engine_config
from vision.embedders.export import MAX_DISTANCE, export_clip
from vision.errors import VisionError


class Command(BaseCommand):
    """Both runtimes then give the same vectors in the same space: changing over makes nothing stale."""

    help = "Write an OpenCLIP model as a folder for CLIP_ONNX_DIR; compared with torch before it is kept."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Which model, and where to."""
        parser.add_argument("name", help="OpenCLIP's name of the model, such as ViT-B-32.")
        parser.add_argument("tag", help="OpenCLIP's name of the weights, such as laion2b_s34b_b79k.")
        parser.add_argument("folder", type=Path, help="A new folder.")
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="Weights of your own.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, or say why not."""
        config = replace(
            engine_config(),
            openclip_model=f"{options['name']}/{options['tag']}",
            openclip_checkpoint=options["checkpoint"],
        )
        target: Path = options["folder"].absolute()
        try:
            report = export_clip(config, target)
        except VisionError as error:
            raise CommandError(str(error)) from error
        found = report.agreement
        if options["json"]:
            row = {"folder": target, "space": f"{report.space.engine}/{report.space.model}"}
            distances = {"pictures": 1 - found.pictures_lowest, "texts": 1 - found.texts_lowest}
            print_json(self, {**row, "bytes": report.size, "distance": distances})
            return
        self.stdout.write(
            f"Largest cosine distance to torch: {1 - found.pictures_lowest:.1e} for pictures, "
            f"{1 - found.texts_lowest:.1e} for texts (at most {MAX_DISTANCE:.0e} passes)."
        )
        self.stdout.write(f"{target}: {report.size / 1e6:,.0f} MB. Set CLIP_ONNX_DIR={target} to use it.")
