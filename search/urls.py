"""Addresses of the search floor."""

from __future__ import annotations

from django.urls import path

from search import api, views

app_name = "search"

urlpatterns = [
    path("search", views.search, name="search"),
    path("api/search", api.search, name="api"),
]
