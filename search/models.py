"""What can be searched, one weighted document a photo, and what people keep of their searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from library.models import Photo
from search.cache_models import SearchChange, SearchPicture, TextVector, VocabularyCount, VocabularyWord

__all__ = [
    "HistoryEntry",
    "ResultOrder",
    "SavedSearch",
    "SearchChange",
    "SearchDocument",
    "SearchPicture",
    "SearchPreference",
    "TextVector",
    "VocabularyCount",
    "VocabularyWord",
]

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

QUERY_LENGTH = 500
"""Characters of a query that are kept: as many as are read (``search.query.MAX_LENGTH``)."""


class SearchDocument(models.Model):
    """The words of a photo. Written by ``search.indexing`` only.

    A tags, title, keywords and place, B text in the picture, C folders and file names, D camera and the
    description that a model wrote.
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


class SavedSearchQuerySet(models.QuerySet["SavedSearch"]):
    """Queries over saved searches."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> SavedSearchQuerySet:
        """Those of this user, and those of others that are shared with the family."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(Q(owner=user.pk) | Q(shared=True))


class SavedSearch(models.Model):
    """The text of a search under a name. It holds no photos: whoever opens it sees what they may see."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_searches"
    )
    name = models.CharField(max_length=100)
    query = models.CharField(max_length=QUERY_LENGTH)
    mode = models.CharField(max_length=10, default="hybrid", help_text="One of search.results.MODES.")
    sort = models.CharField(max_length=10, default="relevance", help_text="One of search.results.SORTS.")
    weaker = models.BooleanField(default=False, help_text="Weaker matches are shown, too.")
    shared = models.BooleanField(default=False, help_text="Everybody who can log in sees it by its name.")
    is_album = models.BooleanField(default=False, help_text="It stands among the albums and fills itself.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        ordering = (Lower("name"), "pk")
        constraints = (models.UniqueConstraint("owner", Lower("name"), name="saved_search_unique_name"),)
        verbose_name_plural = "saved searches"

    def __str__(self) -> str:
        return self.name


class HistoryEntry(models.Model):
    """A search somebody made; the same one again only moves up. Nobody else ever sees it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="search_history"
    )
    query = models.CharField(max_length=QUERY_LENGTH)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")
        constraints = (models.UniqueConstraint(fields=("user", "query"), name="search_history_unique"),)
        indexes = (models.Index(fields=("user", "-at"), name="search_history_latest"),)
        verbose_name_plural = "history entries"

    def __str__(self) -> str:
        return self.query


class SearchPreference(models.Model):
    """How somebody wants to search. Without a row everything is as it is for a new user."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="search_preference", primary_key=True
    )
    keeps_history = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"Search preferences of user {self.user_id}"


class ResultOrder(models.Model):
    """In which order somebody was shown the photos of a search, so that its later pages go on from there.

    Only an order: what may still be seen and found is asked again for every page.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=20)
    photo_ids = ArrayField(models.BigIntegerField())
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at", "-pk")
        constraints = (models.UniqueConstraint(fields=("user", "key"), name="result_order_unique"),)

    def __str__(self) -> str:
        return f"{len(self.photo_ids)} photos for user {self.user_id}"
