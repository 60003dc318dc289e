"""Rows for tests, each valid on its own. Keyword arguments override single fields."""

from __future__ import annotations

import hashlib
import io
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from PIL import Image

from library.models import (
    DetectedObject,
    EmbeddingSpace,
    OcrText,
    Photo,
    PhotoDescription,
    PhotoEmbedding,
    PhotoFile,
    Root,
    Tag,
)
from library.storage import rendition_path

_numbers = itertools.count(1)
_hours = itertools.count(1)
FIRST_DAY = datetime(2019, 7, 1, 12, 0, tzinfo=UTC)


def restart_clock() -> None:
    """Begin again with FIRST_DAY: each test has its photos in July 2019, however many were made before."""
    global _hours
    _hours = itertools.count(1)


def make_user(username: str = "", *, owner: bool = False, **fields: Any) -> Any:
    """A family member, or with ``owner`` the superuser; the password is the user name."""
    username = username or f"member{next(_numbers)}"
    make = get_user_model().objects.create_superuser if owner else get_user_model().objects.create_user
    return make(username=username, password=username, **fields)


def make_root(path: bytes = b"", **fields: Any) -> Root:
    """A root that need not exist on disk."""
    number = next(_numbers)
    return Root.objects.create(**{"name": f"Root {number}", "path": path or b"/nowhere/%d" % number} | fields)


def make_photo(path: str = "", *, root: Root | None = None, **fields: Any) -> Photo:
    """A completed photo with one file below its root. Each photo is one hour younger than the last."""
    number = next(_numbers)
    taken = FIRST_DAY + timedelta(hours=next(_hours))
    values: dict[str, Any] = {
        "sha256": hashlib.sha256(b"%d" % number).hexdigest(),
        "width": 1200,
        "height": 800,
        "format": "JPEG",
        "taken_at": taken,
        "taken_local": taken,
        "taken_source": "exif",
        "taken_offset_minutes": 0,
        "renditions_at": taken,
        "state": Photo.State.COMPLETED,
    }
    photo = Photo.objects.create(**values | fields)
    make_file(photo, path or f"2019/IMG_{number:04d}.jpg", root=root)
    return photo


def make_file(photo: Photo, path: str, *, root: Root | None = None, **fields: Any) -> PhotoFile:
    """One more place where the photo's bytes lie."""
    root = root or Root.objects.first() or make_root()
    values: dict[str, Any] = {
        "root": root,
        "photo": photo,
        "relative_path": path.encode(),
        "display_path": path,
        "size": 1000,
        "mtime_ns": 1,
        "seen_at": FIRST_DAY,
    }
    return PhotoFile.objects.create(**values | fields)


def make_renditions(photo: Photo, colour: tuple[int, int, int] = (120, 140, 90)) -> None:
    """Write a plain thumbnail and preview where the photo's are expected."""
    for kind, size in (("thumbnail", (300, 200)), ("preview", (1200, 800))):
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).save(buffer, "JPEG")
        path = rendition_path(photo.sha256, kind)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def add_tag(photo: Photo, name: str, confidence: float = 0.9, **fields: Any) -> DetectedObject:
    """Give the photo a tag."""
    tag = Tag.objects.ensure([name])[name.lower()]
    return DetectedObject.objects.create(photo=photo, tag=tag, confidence=confidence, **fields)


def add_text(photo: Photo, text: str, **fields: Any) -> OcrText:
    """Give the photo text."""
    blocks = [{"text": text, "confidence": 0.9, "box": [0.1, 0.1, 0.5, 0.1]}]
    return OcrText.objects.create(**{"photo": photo, "text": text, "blocks": blocks} | fields)


def add_description(photo: Photo, text: str, **fields: Any) -> PhotoDescription:
    """Have a model describe the photo."""
    engine = "vision_language/HuggingFaceTB/SmolVLM-500M-Instruct@1f2e3d4c"
    return PhotoDescription.objects.create(**{"photo": photo, "text": text, "engine": engine} | fields)


def make_space(kind: str = "image", dimensions: int = 8, **fields: Any) -> EmbeddingSpace:
    """An active space."""
    values = {"engine": "test", "model": "small", "status": EmbeddingSpace.Status.ACTIVE}
    space, _ = EmbeddingSpace.objects.get_or_create(
        kind=kind, engine="test", model="small", defaults=values | {"dimensions": dimensions} | fields
    )
    return space


def add_embedding(photo: Photo, vector: list[float], space: EmbeddingSpace | None = None) -> PhotoEmbedding:
    """Give the photo a (normalised) vector."""
    space = space or make_space(dimensions=len(vector))
    unit = np.asarray(vector, dtype=np.float32)
    unit /= np.linalg.norm(unit)
    return PhotoEmbedding.objects.create(photo=photo, space=space, vector=unit)
