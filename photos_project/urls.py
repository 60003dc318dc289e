"""The front door: every app brings its own urls."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import URLPattern, URLResolver, include, path

from photos_project.health import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("login/", auth_views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("health", health, name="health"),
    path("", include("library.urls")),
    path("", include("search.urls")),
    path("", include("people.urls")),
    path("", include("ingest.urls")),
]
