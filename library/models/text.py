"""Text that was read in a photo, and text that was written about it."""

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


class PhotoDescription(models.Model):
    """What a model wrote about a photo; ``Photo.description`` is what a person wrote.

    A row with an empty ``text`` says that the model had nothing usable to say.
    """

    photo = models.OneToOneField(
        Photo, on_delete=models.CASCADE, related_name="model_description", primary_key=True
    )
    text = models.TextField(blank=True)
    engine = models.CharField(max_length=300, help_text="The identity of the engine that wrote it.")

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def model_name(self) -> str:
        """``Model-500M`` for the engine ``vision_language/somebody/Model-500M@1f2e3d4c``."""
        return self.engine.rpartition("/")[2].partition("@")[0]
