"""Text that was read in a photo."""

from __future__ import annotations

from django.db import models

from library.models.photo import Photo


class OcrText(models.Model):
    """All text of one photo. A photo without text has a row with an empty ``text``."""

    photo = models.OneToOneField(Photo, on_delete=models.CASCADE, related_name="ocr_text", primary_key=True)
    text = models.TextField(blank=True)
    language = models.CharField(max_length=20, blank=True)
    blocks = models.JSONField(
        default=list,
        help_text="Lines in reading order: text, confidence, box (x, y, width, height as fractions).",
    )

    def __str__(self) -> str:
        return self.text[:60]
