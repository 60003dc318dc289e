"""Addresses of the people floor: its pages come with naming and merging people."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "people"

urlpatterns: list[URLPattern] = []
