"""Addresses of the search floor."""

from __future__ import annotations

from django.urls import path

from search import api, export_views, keep_views, picture_views, suggest_views, views

app_name = "search"

urlpatterns = [
    path("search", views.search, name="search"),
    path("search/picture", picture_views.search_by_picture, name="by_picture"),
    path("search/suggest", suggest_views.suggest, name="suggest"),
    path("search/facets", views.facets, name="facets"),
    path("search/refine", views.refine_search, name="refine"),
    path("search/export", export_views.results, name="export"),
    path("search/export/chosen", export_views.chosen, name="export_chosen"),
    path("searches", keep_views.searches, name="searches"),
    path("searches/save", keep_views.save, name="save"),
    path("searches/<int:pk>", keep_views.open_saved, name="open_saved"),
    path("searches/<int:pk>/card", keep_views.smart_album, name="smart_album"),
    path("searches/<int:pk>/change", keep_views.change, name="change_saved"),
    path("searches/<int:pk>/delete", keep_views.delete, name="delete_saved"),
    path("searches/history/clear", keep_views.clear, name="clear_history"),
    path("searches/history/switch", keep_views.switch, name="switch_history"),
    path("searches/history/<int:pk>/forget", keep_views.forget, name="forget_search"),
    path("api/search", api.search, name="api"),
]
