"""Addresses of the search floor."""

from __future__ import annotations

from django.urls import path

from search import suggest_views, views

app_name = "search"

urlpatterns = [
    path("search", views.search, name="search"),
    path("search/suggest", suggest_views.suggest, name="suggest"),
]
