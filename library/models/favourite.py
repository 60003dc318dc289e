"""What somebody likes best."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from library.models.photo import Photo


class Favourite(models.Model):
    """A photo with a heart; everybody gives their own."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="favourites")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "photo"), name="favourite_unique"),)

    def __str__(self) -> str:
        return f"{self.user} likes photo {self.photo_id}"
