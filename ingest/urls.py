"""Urls of the pipeline's pages."""

from __future__ import annotations

from django.urls import path

from ingest import upload_views, views

app_name = "ingest"
urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/progress", views.progress, name="progress"),
    path("upload", upload_views.page, name="upload"),
    path("api/uploads", upload_views.uploads, name="uploads"),
    path("api/uploads/<uuid:pk>", upload_views.upload, name="upload_one"),
    path("api/stats", views.stats, name="stats"),
]
