"""The data of the library floor, one model a file."""

from __future__ import annotations

from library.models.album import Album, AlbumPhoto
from library.models.audit import AuditEvent
from library.models.category import Category, TagMapping
from library.models.colour import PhotoColour
from library.models.correction import TimeCorrection
from library.models.duplicate import DuplicatePair, PhotoHash
from library.models.embedding import CropEmbedding, EmbeddingSpace, PhotoEmbedding
from library.models.favourite import Favourite
from library.models.photo import Photo, PhotoQuerySet
from library.models.photo_file import PhotoFile
from library.models.place import Place
from library.models.root import Root, RootViewer
from library.models.tag import DetectedObject, Tag
from library.models.text import OcrText, PhotoDescription
from library.models.video import VideoPart

__all__ = [
    "Album",
    "AlbumPhoto",
    "AuditEvent",
    "Category",
    "CropEmbedding",
    "DetectedObject",
    "DuplicatePair",
    "EmbeddingSpace",
    "Favourite",
    "OcrText",
    "Photo",
    "PhotoColour",
    "PhotoDescription",
    "PhotoEmbedding",
    "PhotoFile",
    "PhotoHash",
    "PhotoQuerySet",
    "Place",
    "Root",
    "RootViewer",
    "Tag",
    "TagMapping",
    "TimeCorrection",
    "VideoPart",
]
