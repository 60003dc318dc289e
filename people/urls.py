"""Addresses of the people floor."""

from __future__ import annotations

from django.urls import path

from people.views import accuracy, deeds, people, portrait, review

app_name = "people"

urlpatterns = [
    path("people/", people.people, name="people"),
    path("people/review", review.review, name="review"),
    path("people/others", review.strangers, name="strangers"),
    path("people/answer", review.answer, name="answer"),
    path("people/accuracy", accuracy.accuracy, name="accuracy"),
    path("people/history", deeds.history, name="history"),
    path("people/events/<int:pk>/undo", deeds.undo, name="undo"),
    path("people/events/<int:pk>/settled", review.settled, name="settled"),
    path("people/<int:pk>", people.person, name="person"),
    path("people/<int:pk>/edit", deeds.edit, name="edit"),
    path("people/<int:pk>/faces", deeds.faces, name="faces"),
    path("people/<int:pk>/merge", deeds.merge, name="merge"),
    path("people/<int:pk>/not-same", deeds.not_same, name="not_same"),
    path("photo/<int:pk>/face", deeds.draw_box, name="draw"),
    path("face/<int:pk>", portrait.portrait, name="portrait"),
]
