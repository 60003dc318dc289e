"""Urls of the pipeline's pages."""

from __future__ import annotations

from django.urls import path

from ingest import failure_views, metrics_views, upload_views, views

app_name = "ingest"
urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/progress", views.progress, name="progress"),
    path("upload", upload_views.page, name="upload"),
    path("api/uploads", upload_views.uploads, name="uploads"),
    path("api/uploads/<uuid:pk>", upload_views.upload, name="upload_one"),
    path("status/work", failure_views.work, name="work"),
    path("failures/", failure_views.failures, name="failures"),
    path("failures/retry", failure_views.retry, name="retry"),
    path("metrics", metrics_views.metrics, name="metrics"),
    path("api/stats", views.stats, name="stats"),
]
