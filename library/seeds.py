"""The five drawers a new library starts with, and the tags that fall into them."""

from __future__ import annotations

CATEGORIES: dict[str, tuple[str, ...]] = {
    "electronics": ("iPhone", "iPad", "MacBook", "laptop", "computer", "phone", "camera", "tablet"),
    "food": ("pizza", "burger", "coffee", "cake", "pasta", "sushi", "salad", "beverage"),
    "landscape": ("mountain", "beach", "sunset", "forest", "ocean", "sky", "nature", "park"),
    "documents": ("screenshot", "document", "receipt", "certificate", "text", "paper"),
    "people": ("person", "face", "portrait", "group", "crowd", "selfie", "family"),
}
