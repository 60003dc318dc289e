"""Groups of photos that show the same picture."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from library.access import photos_for
from library.duplicates import group_members, same_picture_groups
from library.timeline import with_details

GROUPS_PER_PAGE = 20


@require_safe
def duplicates(request: HttpRequest) -> HttpResponse:
    """A page of groups, the best photo of each first."""
    photos = photos_for(request.user).shown()
    page = Paginator(same_picture_groups(photos), GROUPS_PER_PAGE).get_page(request.GET.get("page"))
    groups = group_members(page.object_list, with_details(photos, request.user))
    return render(request, "library/duplicates.html", {"page": page, "groups": groups})
