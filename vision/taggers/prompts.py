"""What is said to a text tower about each word, and the everyday words that a score is measured against."""

from __future__ import annotations

from collections.abc import Sequence

#: Several wordings are averaged: a single one pulls the vector towards its own words (Radford et al.,
#: "Learning Transferable Visual Models From Natural Language Supervision", 2021, section 3.1.4).
TEMPLATES = ("{}", "a photo of {}", "a picture with {} in it")

#: Words that say little or something else when they stand alone.
PHRASES = {
    "iphone": "an Apple iPhone",
    "ipad": "an Apple iPad",
    "macbook": "an Apple MacBook",
    "tablet": "a tablet computer",
    "pasta": "pasta",
    "sushi": "sushi",
    "coffee": "coffee",
    "beverage": "a beverage in a glass",
    "ocean": "the ocean",
    "sky": "the sky",
    "nature": "nature",
    "park": "a park",
    "screenshot": "a screenshot",
    "document": "a document",
    "text": "text",
    "paper": "paper",
    "face": "a human face",
    "portrait": "a portrait of a person",
    "group": "a group of people",
    "crowd": "a crowd of people",
    "selfie": "a selfie of a person",
}

#: Everyday things from many walks of life. Most of them are in no given picture, so their similarities say
#: what "has nothing to do with it" looks like for that picture and that model.
BACKGROUND = (
    "airplane",
    "anchor",
    "apron",
    "balloon",
    "bathtub",
    "bed",
    "bicycle",
    "boot",
    "bottle",
    "bridge",
    "broom",
    "bucket",
    "bus",
    "candle",
    "carpet",
    "chair",
    "clock",
    "coin",
    "curtain",
    "dice",
    "drum",
    "envelope",
    "fence",
    "fish",
    "fork",
    "glove",
    "guitar",
    "hammer",
    "hat",
    "helmet",
    "horse",
    "key",
    "kettle",
    "ladder",
    "lamp",
    "mirror",
    "needle",
    "orange",
    "pencil",
    "piano",
    "pillow",
    "plate",
    "rabbit",
    "ring",
    "rope",
    "scarf",
    "scissors",
    "shelf",
    "shoe",
    "sofa",
    "spoon",
    "stairs",
    "suitcase",
    "table",
    "tent",
    "toothbrush",
    "towel",
    "tractor",
    "train",
    "umbrella",
    "vase",
    "violin",
    "wallet",
    "wheel",
)


def prompts_for(word: str) -> list[str]:
    """The wordings of one word."""
    phrase = PHRASES.get(word.casefold()) or _with_article(word)
    return [template.format(phrase) for template in TEMPLATES]


def background_for(vocabulary: Sequence[str]) -> list[str]:
    """The background words that are not themselves looked for."""
    wanted = {word.casefold() for word in vocabulary}
    return [word for word in BACKGROUND if word not in wanted]


def _with_article(word: str) -> str:
    article = "an" if word[:1].casefold() in "aeiou" else "a"
    return f"{article} {word}"
