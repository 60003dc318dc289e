"""Searching by a picture: one of the library, or one that somebody brings along.

What is brought along is decoded in memory, looked at by the model of the active image space in this process,
and forgotten. Only its vector is kept, for an hour, under a random token that nobody else can use, so that
pages and filters of the same search can follow. The picture itself is never written anywhere.
"""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from django.conf import settings
from django.utils import timezone

from library import engines
from library.models import EmbeddingSpace, Photo, PhotoEmbedding
from search.cache_models import SearchPicture
from search.results import Notice, Picture
from vision.errors import EngineFailed, EngineUnavailable, ImageRejected
from vision.imaging.formats import extension_of
from vision.imaging.open import read_picture
from vision.results import Vectors

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    User = AbstractBaseUser | AnonymousUser

MAX_BYTES: Final = 50_000_000
MAX_PIXELS: Final = 120_000_000
"""Below MAX_PIXELS of the settings: the web server decodes in memory that it shares with every request."""

KEPT: Final = timedelta(hours=1)
MOST_KEPT: Final = 50
"""Pictures of one person at a time; the oldest make room."""

WAIT_SECONDS: Final = 20.0

_one_at_a_time = threading.Lock()
_NO_MODEL: Final = "Searching by picture is off:"


class PictureRefused(Exception):  # noqa: N818 - a refusal the user can act on
    """A picture that cannot be searched by; the message says why and what helps."""


def of_photo(photo: Photo, *, weight: float = 1.0) -> Picture | Notice:
    """A photo of the library, which the caller may see, as a picture to search by."""
    space = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
    row = PhotoEmbedding.objects.filter(photo=photo, space=space).first() if space else None
    if row is None or space is None:
        return Notice(
            f"{_NO_MODEL} no model has looked at this photo yet.",
            "See the status page for what is missing, or run `manage.py process`.",
        )
    return Picture(space.pk, np.asarray(row.vector, dtype=np.float32), weight, without=(photo.pk,))


def of_token(user: User, token: str, *, weight: float = 1.0) -> Picture | Notice:
    """A picture that was brought along lately, by the same person."""
    row = SearchPicture.objects.filter(
        pk=token, user=user.pk, made_at__gte=timezone.now() - KEPT, space__status=EmbeddingSpace.Status.ACTIVE
    ).first()
    if row is None:
        return Notice("This picture is not known any more: it is kept for an hour.", "Choose it again.")
    return Picture(row.space_id, np.asarray(row.vector, dtype=np.float32), weight)


def keep(user: User, data: bytes, name: str) -> str:
    """Look at the bytes of a picture and keep its vector; the token for it. Raises PictureRefused.

    ``name`` only tells raw formats from the rest.
    """
    space = EmbeddingSpace.objects.active(EmbeddingSpace.Kind.IMAGE)
    vector = _vector(space, data, name)
    if space is None:
        raise PictureRefused(f"{_NO_MODEL} no photo was looked at by the model yet.")
    SearchPicture.objects.filter(made_at__lt=timezone.now() - KEPT).delete()
    mine = SearchPicture.objects.filter(user=user.pk)
    mine.filter(pk__in=list(mine.order_by("-made_at").values_list("pk", flat=True)[MOST_KEPT - 1 :])).delete()
    made = SearchPicture.objects.create(
        token=secrets.token_urlsafe(24), user_id=user.pk, space=space, vector=vector, made_at=timezone.now()
    )
    return made.token


def _vector(space: EmbeddingSpace | None, data: bytes, name: str) -> Vectors:
    """float32 [D]. One picture at a time: pixels and model need room."""
    if not _one_at_a_time.acquire(timeout=WAIT_SECONDS):
        raise PictureRefused("Another picture is being looked at. Try again in a moment.")
    try:
        registry = engines.registry()
        embedder = (
            registry.image_embedder()  # without a space, what has to be said is why there is no model
            if space is None
            else registry.image_embedder_for(space.info, space.source)
        )
        picture = read_picture(
            data,
            extension=extension_of(name),
            long_edge=settings.PREVIEW_SIZE,
            max_pixels=min(settings.MAX_PIXELS, MAX_PIXELS),
        )
        vector: Vectors = embedder.embed_images([np.asarray(picture.image)])[0]
        return vector
    except ImageRejected as error:
        raise PictureRefused(f"This file cannot be searched by: {error}.") from error
    except EngineUnavailable as error:
        raise PictureRefused(f"{_NO_MODEL} {error.reason} {error.remedy}".strip()) from error
    except EngineFailed as error:
        raise PictureRefused(f"The model failed on this picture: {error}") from error
    finally:
        _one_at_a_time.release()
