"""Rows of the people floor for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from library.models import Photo
from library.tests.factories import make_space
from people.models import Face


def add_face(photo: Photo, **fields: Any) -> Face:
    """Give the photo a face in a small test space."""
    values: dict[str, Any] = {
        "photo": photo,
        "space": make_space("face", 4),
        "x": 0.4,
        "y": 0.2,
        "width": 0.2,
        "height": 0.3,
        "confidence": 0.9,
        "quality": 0.8,
        "embedding": np.array([1, 0, 0, 0], dtype=np.float32),
    }
    return Face.objects.create(**values | fields)
