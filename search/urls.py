"""Addresses of the search floor."""

from __future__ import annotations

from django.urls import path

from search import picture_views, suggest_views, views

app_name = "search"

urlpatterns = [
    path("search", views.search, name="search"),
    path("search/picture", picture_views.search_by_picture, name="by_picture"),
    path("search/suggest", suggest_views.suggest, name="suggest"),
]
