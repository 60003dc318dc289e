"""People and faces, to look at: naming and merging have pages and an undo of their own."""

from __future__ import annotations

from django.contrib import admin

from library.admin import ReadOnlyAdmin
from people.models import Face, Person


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin[Person]):
    """People."""

    list_display = ("name", "birth_date", "hidden")
    search_fields = ("name",)


@admin.register(Face)
class FaceAdmin(ReadOnlyAdmin[Face]):
    """Faces, without the numbers that stand for them. Age and sex are called what they are: guesses."""

    list_display = ("id", "photo", "confidence", "quality", "space")
    list_filter = ("space",)
    list_select_related = ("photo", "space")
    exclude = ("embedding",)
