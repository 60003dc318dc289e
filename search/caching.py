"""Answers that are worth keeping: counts of facets, and what texts mean to a model.

An answer is kept in the memory of the process, under the version of the library (``search.changes``), the
person who asked and the roots that were open to them. So it is never given after anything changed, never to
somebody else, and never to somebody whose rights changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
from django.utils import timezone
from django.utils.crypto import salted_hmac

from library.access import hidden_roots
from search import changes
from search.cache_models import TextVector
from search.remembering import Recent
from search.text import clean
from vision.ports import TextEmbedder
from vision.results import Vectors

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

T = TypeVar("T")

ANSWERS: Final = 256
SECONDS: Final = 600.0
"""For what depends on today's date and not on the library alone."""

TEXTS: Final = 512
TEXTS_STORED: Final = 5_000
"""Rows of ``TextVector`` that are kept: 20 MB at 1,024 dimensions."""

_PRUNE_EVERY: Final = 50
_answers: Recent[Any] = Recent(ANSWERS, SECONDS)
_texts: Recent[Vectors] = Recent(TEXTS)


def cached(key: Hashable, user: AbstractBaseUser | AnonymousUser, compute: Callable[[], T]) -> T:
    """What ``compute`` gives for this user, remembered as long as nothing changes. Two small queries.

    ``key`` says what is asked, all of it: the kind of answer and the query. Nobody may change the answer.
    """
    rights = (user.pk, getattr(user, "is_superuser", False), tuple(hidden_roots(user)))
    full_key = (key, rights, changes.version())  # read first: what changes meanwhile makes it out of date
    found = _answers.get(full_key)
    if found is None:
        found = (compute(),)
        _answers.put(full_key, found)
    return cast(T, found[0])


def text_vector(embedder: TextEmbedder, text: str) -> Vectors:
    """float32 [D]: the text in the embedder's space. Asked of the model once, then remembered.

    Remembered in this process, and by all processes in the database under a digest. White space does not
    count; nothing else is folded away, since models tell accents and capitals apart.
    """
    wanted = " ".join(clean(text).split())
    key = salted_hmac("search.text_vector", f"{embedder.engine_id}\n{wanted}", algorithm="sha256").hexdigest()
    vector = _texts.get(key)
    if vector is None:
        vector = _stored(key)
        if vector is None:
            vector = embedder.embed_texts([wanted])[0]
            _store(key, vector)
        _texts.put(key, vector)
    return vector


def forget() -> None:
    """Empty the memory of this process."""
    _answers.clear()
    _texts.clear()


def _stored(key: str) -> Vectors | None:
    row = TextVector.objects.filter(pk=key).first()
    if row is None:
        return None
    now = timezone.now()
    if now - row.used_at > timedelta(days=1):
        TextVector.objects.filter(pk=key).update(used_at=now)
    return np.asarray(row.vector, dtype=np.float32)


def _store(key: str, vector: Vectors) -> None:
    TextVector.objects.bulk_create(
        [TextVector(key=key, vector=vector, used_at=timezone.now())], ignore_conflicts=True
    )
    # Every so often, by chance of the digest, so that no process has to count its own.
    if int(key[:8], 16) % _PRUNE_EVERY == 0:
        kept = TextVector.objects.order_by("-used_at", "pk").values("pk")[:TEXTS_STORED]
        TextVector.objects.exclude(pk__in=kept).delete()
