"""Addresses of the library floor."""

from __future__ import annotations

from django.urls import path

from library.views import duplicates, favourites, media, photo, timeline, times

app_name = "library"

urlpatterns = [
    path("", timeline.timeline, name="timeline"),
    path("photo/<int:pk>", photo.photo, name="photo"),
    path("photo/<int:pk>/time", times.correct_time, name="correct_time"),
    path("photo/<int:pk>/favourite", favourites.favourite, name="favourite"),
    path("duplicates", duplicates.duplicates, name="duplicates"),
    path("thumbnail/<int:pk>", media.thumbnail, name="thumbnail"),
    path("preview/<int:pk>", media.preview, name="preview"),
    path("video/<int:pk>", media.video, name="video"),
    path("original/<int:pk>", media.original, name="original"),
]
