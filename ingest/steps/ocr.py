"""Text that is written in the picture."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.batch import ImageVectors, Item
from ingest.models import StepRun
from ingest.steps.base import all_pictures
from library.engines import registry
from library.models import OcrText, Photo
from vision.results import PageText


class OcrStep:
    """Reads one picture at a time: the engine gains nothing from batches."""

    name = StepRun.Step.OCR
    state = Photo.State.PROCESSING_OCR
    chunk = 1

    def engine_id(self) -> str | None:
        """The reader's."""
        return registry().engine_id("reader")

    def require(self) -> None:
        """A reader is needed."""
        registry().reader()

    def needs_pictures(self, photo_ids: Sequence[int], vectors: ImageVectors) -> set[int]:
        """All."""
        return all_pictures(photo_ids)

    def compute(self, items: Sequence[Item], vectors: ImageVectors) -> list[PageText]:
        """The text of each picture."""
        return registry().reader().read([item.image for item in items])

    def save(self, results: dict[int, PageText]) -> None:
        """Insert or replace; NUL characters, which PostgreSQL cannot hold, are dropped."""
        OcrText.objects.bulk_create(
            [_row(photo_id, page) for photo_id, page in results.items()],
            update_conflicts=True,
            unique_fields=["photo"],
            update_fields=["text", "language", "blocks"],
        )


def _row(photo_id: int, page: PageText) -> OcrText:
    blocks = [
        {
            "text": block.text.replace("\0", ""),
            "confidence": round(block.confidence, 3),
            "box": [
                round(value, 5) for value in (block.box.x, block.box.y, block.box.width, block.box.height)
            ],
        }
        for block in page.blocks
    ]
    text = page.text.replace("\0", "")
    return OcrText(photo_id=photo_id, text=text, language=page.language, blocks=blocks)
