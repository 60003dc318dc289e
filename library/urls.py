"""Addresses of the library floor."""

from __future__ import annotations

from django.urls import path

from library.views import albums, chosen, duplicates, favourites, media, photo, timeline, times

app_name = "library"

urlpatterns = [
    path("", timeline.timeline, name="timeline"),
    path("photo/<int:pk>", photo.photo, name="photo"),
    path("photo/<int:pk>/time", times.correct_time, name="correct_time"),
    path("albums", albums.albums, name="albums"),
    path("albums/new", albums.new_album, name="new_album"),
    path("albums/add", albums.add_photos, name="add_to_album"),
    path("albums/undo/<int:pk>", albums.undo_deed, name="undo_album"),
    path("albums/<int:pk>", albums.album, name="album"),
    path("albums/<int:pk>/rename", albums.rename, name="rename_album"),
    path("albums/<int:pk>/delete", albums.delete, name="delete_album"),
    path("albums/<int:pk>/remove", albums.remove_photos, name="remove_from_album"),
    path("photo/<int:pk>/favourite", favourites.favourite, name="favourite"),
    path("favourites/chosen", chosen.favourites, name="favourite_chosen"),
    path("duplicates", duplicates.duplicates, name="duplicates"),
    path("thumbnail/<int:pk>", media.thumbnail, name="thumbnail"),
    path("preview/<int:pk>", media.preview, name="preview"),
    path("video/<int:pk>", media.video, name="video"),
    path("original/<int:pk>", media.original, name="original"),
]
