"""People and faces for owners: to look at, to merge, and every deed to undo."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.template.response import TemplateResponse

from library.admin import ReadOnlyAdmin
from people.actions.merge import merge
from people.actions.undo import undo
from people.merging import merge_conflicts
from people.models import Face, FaceLabel, NotSame, PeopleEvent, Person
from people.refusals import PeopleRefused

#: A confirmation page is read by somebody.
_MOST_AT_ONCE: Final = 20


class OwnersOnly:
    """The permission of the actions below."""

    def has_owner_permission(self, request: HttpRequest) -> bool:
        """Owners."""
        return bool(getattr(request.user, "is_superuser", False))


@admin.register(Person)
class PersonAdmin(OwnersOnly, ReadOnlyAdmin[Person]):
    """People. What they are called and whose face is whose is said on their pages."""

    list_display = ("name", "birth_date", "face_count", "hidden", "user", "merged_into", "removed")
    list_filter = ("hidden", "removed")
    list_select_related = ("user", "merged_into")
    search_fields = ("name",)
    actions = ("merge",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        """With the number of their faces."""
        return super().get_queryset(request).annotate(face_number=Count("faces"))

    @admin.display(description="faces", ordering="face_number")
    def face_count(self, person: Person) -> int:
        """How many faces are theirs."""
        return int(getattr(person, "face_number", 0))

    @admin.action(description="Merge the chosen people", permissions=["owner"])
    def merge(self, request: HttpRequest, queryset: QuerySet[Person]) -> TemplateResponse | None:
        """Ask whom they are, and tell what speaks against it; then make them one."""
        people = list(queryset.active().order_by("-face_number", "pk")[: _MOST_AT_ONCE + 1])  # type: ignore[attr-defined]
        if not 2 <= len(people) <= _MOST_AT_ONCE:
            text = f"Choose two people or more, at most {_MOST_AT_ONCE}, none of whom is merged already."
            self.message_user(request, text, messages.ERROR)
            return None
        into = next((one for one in people if str(one.pk) == request.POST.get("into")), people[0])
        others = [one for one in people if one != into]
        if "merge" in request.POST:
            try:
                overrule = request.POST.get("overrule") == "yes"
                merge(into=into, others=others, by=request.user, overrule=overrule)  # type: ignore[arg-type]
            except PeopleRefused as refused:
                self.message_user(request, str(refused), messages.ERROR)
            else:
                names = ", ".join(one.name for one in others)
                text = f"{names}: merged into {into.name}. To undo it, see People events."
                self.message_user(request, text, messages.SUCCESS)
                return None
        return self._ask(request, people, into)

    def _ask(self, request: HttpRequest, people: list[Person], into: Person) -> TemplateResponse:
        others = [one for one in people if one != into]
        conflicts = merge_conflicts(into=into, others=others, by=request.user)  # type: ignore[arg-type]
        severities = {conflict.severity for conflict in conflicts}
        context = {
            **self.admin_site.each_context(request),
            "title": "Merge people",
            "opts": self.model._meta,
            "people": people,
            "into": into,
            "conflicts": conflicts,
            "refused": "never" in severities,
            "ask": "ask" in severities,
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/people/merge.html", context)


@admin.register(PeopleEvent)
class PeopleEventAdmin(OwnersOnly, ReadOnlyAdmin[PeopleEvent]):
    """What was done about people and faces, newest first; each can be taken back."""

    list_display = ("at", "kind", "person", "label_count", "by", "undone_at")
    list_filter = ("kind", "at")
    list_select_related = ("by", "person")
    search_fields = ("person__name", "by__username")
    date_hierarchy = "at"
    actions = ("undo",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PeopleEvent]:
        """With the number of their labels."""
        labels = FaceLabel.objects.filter(event=OuterRef("pk")).order_by().values("event")
        number = Subquery(labels.annotate(number=Count("pk")).values("number"))
        return super().get_queryset(request).annotate(label_number=number)

    @admin.display(description="labels")
    def label_count(self, event: PeopleEvent) -> int:
        """How many labels it wrote."""
        return int(getattr(event, "label_number", None) or 0)

    @admin.action(description="Undo", permissions=["owner"])
    def undo(self, request: HttpRequest, queryset: QuerySet[PeopleEvent]) -> None:
        """Take the chosen events back, the latest first."""
        done = 0
        for event in queryset.order_by("-at", "-pk")[:100]:
            try:
                undo(event=event, by=request.user)  # type: ignore[arg-type]
                done += 1
            except PeopleRefused as refused:
                self.message_user(request, f"{event}: {refused}", messages.ERROR)
        if done:
            self.message_user(request, f"{done} taken back.", messages.SUCCESS)


@admin.register(Face)
class FaceAdmin(ReadOnlyAdmin[Face]):
    """Faces, without the numbers that stand for them. Age and sex are called what they are: guesses."""

    list_display = ("id", "photo", "person", "person_source", "status", "confidence", "quality", "space")
    list_filter = ("status", "person_source", "space")
    list_select_related = ("photo", "person", "space")
    exclude = ("embedding",)


@admin.register(NotSame)
class NotSameAdmin(ReadOnlyAdmin[NotSame]):
    """Pairs of people that are never merged."""

    list_display = ("one", "two", "event")
    list_select_related = ("one", "two", "event")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """By name."""
        return super().get_queryset(request).order_by("one__name", "two__name")
