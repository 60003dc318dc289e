"""Urls of the pipeline's pages."""

from __future__ import annotations

from django.urls import path

from ingest import failure_views, metrics_views, session_views, upload_views, views

app_name = "ingest"
urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/progress", views.progress, name="progress"),
    path("upload", upload_views.page, name="upload"),
    path("api/uploads", upload_views.uploads, name="uploads"),
    path("api/uploads/<uuid:pk>", upload_views.upload, name="upload_one"),
    path("status/work", failure_views.work, name="work"),
    path("sessions/", session_views.session_list, name="sessions"),
    path("sessions/new", session_views.browse, name="session_new"),
    path("sessions/start", session_views.start, name="session_start"),
    path("sessions/<int:pk>", session_views.session, name="session"),
    path("sessions/<int:pk>/<slug:action>", session_views.control, name="session_control"),
    path("failures/", failure_views.failures, name="failures"),
    path("failures/retry", failure_views.retry, name="retry"),
    path("metrics", metrics_views.metrics, name="metrics"),
    path("api/stats", views.stats, name="stats"),
]
