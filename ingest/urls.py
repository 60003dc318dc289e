"""Urls of the pipeline's pages."""

from __future__ import annotations

from django.urls import path

from ingest import views

app_name = "ingest"
urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/progress", views.progress, name="progress"),
    path("api/stats", views.stats, name="stats"),
]
