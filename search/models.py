"""What can be searched: one weighted document a photo. Written by ``search.indexing`` only."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from library.models import Photo
from search.cache_models import SearchChange, SearchPicture, TextVector, VocabularyCount, VocabularyWord

__all__ = [
    "SearchChange",
    "SearchDocument",
    "SearchPicture",
    "TextVector",
    "VocabularyCount",
    "VocabularyWord",
]


class SearchDocument(models.Model):
    """The words of a photo.

    A tags, title and keywords, B text in the picture, C folders and file names, D camera and the description
    that a model wrote.
    """

    photo = models.OneToOneField(
        Photo, on_delete=models.CASCADE, related_name="search_document", primary_key=True
    )
    document = SearchVectorField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = (GinIndex(fields=("document",), name="search_document_gin"),)

    def __str__(self) -> str:
        return f"Words of photo {self.photo_id}"
