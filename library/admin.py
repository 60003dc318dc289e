"""The owner's workshop: categories and mappings can be changed, what engines wrote can be looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from library.actions.roots import forget_root
from library.actions.times import correct_times, undo_corrections
from library.forms import TimeActionForm
from library.models import (
    AuditEvent,
    Category,
    DuplicatePair,
    Photo,
    PhotoDescription,
    Root,
    RootViewer,
    Tag,
    TagMapping,
)
from library.templatetags.library_tags import thumbnail_url

M = TypeVar("M", bound=Model)

admin.site.site_header = "Heirloom"
admin.site.site_title = "Heirloom"
admin.site.index_title = "Workshop"

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline
    BasePaginator = Paginator[Any]
else:
    # Django's classes take their type argument in the type checker's eyes only.
    class _Generic:
        def __class_getitem__(cls, _: Any) -> type:
            return cls

    ModelAdmin = type("ModelAdmin", (_Generic, admin.ModelAdmin), {})
    TabularInline = type("TabularInline", (_Generic, admin.TabularInline), {})
    BasePaginator = Paginator


class EstimatingPaginator(BasePaginator):
    """Does not count a huge table: without filters PostgreSQL's own estimate of its rows is good enough."""

    EXACT_BELOW = 10_000

    @cached_property
    def count(self) -> int:
        """Exact for small and filtered lists, else what the planner believes."""
        queryset = self.object_list
        if isinstance(queryset, QuerySet) and not queryset.query.where:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
                    [connection.ops.quote_name(queryset.model._meta.db_table)],
                )
                estimate: int = cursor.fetchone()[0]
            if estimate >= self.EXACT_BELOW:
                return estimate
        return super().count


class ReadOnlyAdmin(ModelAdmin[M]):
    """Rows that are written by the program alone."""

    show_full_result_count = False
    paginator = EstimatingPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        """Nobody."""
        return False


class PhotoAdminBase(ReadOnlyAdmin[Photo]):
    """Photos as rows. The floor that keeps the ledger registers it with the ledger as an inline."""

    list_display = ("picture", "id", "place", "state", "taken_local", "format", "error_message")
    list_display_links = ("picture", "id")
    list_filter = ("state", "format", "taken_source", "taken_offset_source")
    list_per_page = 50
    ordering = ("-pk",)
    search_fields = ("=id", "sha256__startswith", "files__display_path")
    exclude = ("thumbhash",)
    action_form = TimeActionForm
    actions: tuple[str, ...] = ("correct_time", "undo_correct_time")

    @admin.action(description="Correct the time (by the fields beside)", permissions=["correct"])
    def correct_time(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Move the clocks of the chosen photos, or set their offset."""
        form = TimeActionForm(request.POST)
        form.fields["action"].required = False
        form.full_clean()
        errors = [text for name in ("shift", "offset") for text in form.errors.get(name, [])]
        shift, offset = form.cleaned_data.get("shift"), form.cleaned_data.get("offset")
        if errors or not (shift or offset is not None):
            self.message_user(
                request,
                " ".join(map(str, errors)) or "Say by how much, or the offset, beside the action.",
                messages.ERROR,
            )
            return
        try:
            changed = correct_times(
                photo_ids=list(queryset.values_list("pk", flat=True)),
                actor_id=request.user.pk,
                shift=shift or timedelta(),
                offset_minutes=offset,
            )
        except (ValueError, OverflowError) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"The time of {changed} photos was corrected.", messages.SUCCESS)

    @admin.action(description="Take corrections of the time back", permissions=["correct"])
    def undo_correct_time(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Go back to what the files say."""
        photo_ids = list(queryset.values_list("pk", flat=True))
        undone = undo_corrections(photo_ids=photo_ids, actor_id=request.user.pk)
        self.message_user(request, f"{undone} corrections were taken back.", messages.SUCCESS)

    def has_correct_permission(self, request: HttpRequest) -> bool:
        """Owners."""
        return bool(getattr(request.user, "is_superuser", False))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Photo]:
        """With the files, so that a page costs the same however many photos it has."""
        return super().get_queryset(request).defer("exif").prefetch_related("files__root")

    @admin.display(description="picture")
    def picture(self, photo: Photo) -> SafeString:
        """The thumbnail, when there is one."""
        if not photo.renditions_at:
            return SafeString("–")
        return format_html('<img src="{}" alt="" height="48" loading="lazy">', thumbnail_url(photo))

    @admin.display(description="file")
    def place(self, photo: Photo) -> str:
        """Root and path of the first file."""
        files = photo.files.all()
        return f"{files[0].root.name}/{files[0].display_path}" if files else ""


class TagMappingInline(TabularInline[TagMapping, Category]):
    """The tags of a category."""

    model = TagMapping
    extra = 1
    autocomplete_fields = ("tag",)


def _remind(request: HttpRequest) -> None:
    messages.info(
        request,
        "Photos that are tagged already keep their categories until you run “Re-map photos with today's "
        "mappings” (an action of Tag mappings) or `manage.py reindex_categories`.",
    )


@admin.register(Category)
class CategoryAdmin(ModelAdmin[Category]):
    """Categories with their tags."""

    list_display = ("name", "slug", "position")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 - Django's declarative style
    inlines = (TagMappingInline,)

    def save_formset(
        self, request: HttpRequest, form: Any, formset: BaseModelFormSet[Any, Any], change: Any
    ) -> None:
        """Save the mappings and say what makes them count."""
        super().save_formset(request, form, formset, change)
        if formset.has_changed():
            _remind(request)


class TagMappingAdminBase(ModelAdmin[TagMapping]):
    """Which tag falls into which category; ``search.admin`` adds what applies the mappings."""

    list_display = ("tag", "category")
    list_filter = ("category",)
    list_select_related = ("tag", "category")
    search_fields = ("tag__name",)
    autocomplete_fields = ("tag",)

    def save_model(
        self, request: HttpRequest, obj: TagMapping, form: ModelForm[TagMapping], change: Any
    ) -> None:
        """Save and say what makes it count."""
        super().save_model(request, obj, form, change)
        _remind(request)


@admin.register(Tag)
class TagAdmin(ModelAdmin[Tag]):
    """The vocabulary."""

    list_display = ("name", "category")
    list_select_related = ("mapping__category",)
    search_fields = ("name",)

    @admin.display(description="category")
    def category(self, tag: Tag) -> str:
        """What it is mapped to."""
        mapping: TagMapping | None = getattr(tag, "mapping", None)
        return mapping.category.name if mapping else ""


class RootViewerInline(TabularInline[RootViewer, Root]):
    """Who may see the photos of a folder. Nobody named: everybody who can log in."""

    model = RootViewer
    extra = 1
    verbose_name = "person who may see these photos"
    verbose_name_plural = "only these people may see the photos (nobody named: everybody who can log in)"


@admin.register(Root)
class RootAdmin(ModelAdmin[Root]):
    """Folders of originals: they are added by scanning, here is decided who may see them."""

    list_display = ("name", "display_path", "watch")
    fields = ("name", "display_path", "watch")
    readonly_fields = ("display_path",)
    inlines = (RootViewerInline,)
    actions = ("forget",)

    @admin.action(description="Forget these folders (photos are kept as missing, files are not touched)")
    def forget(self, request: HttpRequest, queryset: QuerySet[Root]) -> None:
        """Take the chosen roots out of the library."""
        for root in queryset:
            missing = forget_root(root=root, actor_id=request.user.pk)
            self.message_user(
                request, f"{root.name}: forgotten; {missing} photos are missing now.", messages.SUCCESS
            )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Added by ``scan_library``, which looks whether the folder is there."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Root | None = None) -> bool:
        """Not by accident: its photos with their albums and names would go, too."""
        return False


@admin.register(DuplicatePair)
class DuplicatePairAdmin(ReadOnlyAdmin[DuplicatePair]):
    """Pairs of the same picture."""

    list_display = ("id", "first", "second", "distance", "kind", "decision")
    list_filter = ("kind", "decision")
    list_select_related = ("first", "second")


@admin.register(PhotoDescription)
class PhotoDescriptionAdmin(ReadOnlyAdmin[PhotoDescription]):
    """What a model wrote about photos."""

    list_display = ("photo", "text", "engine")
    list_select_related = ("photo",)
    search_fields = ("=photo__id", "text", "engine")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    """Who did what."""

    list_display = ("at", "actor", "action", "object_type", "object_id")
    list_filter = ("action",)
    list_select_related = ("actor",)
