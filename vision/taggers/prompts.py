"""What is said to a text tower about each word, and the everyday words that a score is measured against."""

from __future__ import annotations

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

_EVERYDAY = """
accordion airplane anchor apron aquarium armchair axe backpack balloon banana barrel basket bathrobe
bathtub bed beehive bell bicycle binoculars blanket boot bottle brick bridge broom bucket bus button
cactus calculator camel candle cannon canoe carpet carrot cathedral chain chair chimney cigarette
clock coin compass cork crane crown cucumber curtain desk dice doll door dragonfly drum dustbin egg
elephant envelope factory feather fence fish flag flute fork fountain frog funnel garage gate globe
glove goat goose guitar hammer hammock handbag harp hat hedge helicopter helmet horse hose igloo jar
jigsaw kettle key kite knife ladder lamp lantern lighthouse lion lizard lock magnet mailbox map
medal microphone microscope mirror mug mushroom nail necklace needle newspaper notebook oar onion
orange owl padlock paintbrush parachute pearl pencil penguin piano pickaxe pillow pipe plate potato
puppet rabbit razor ring robot rocket rope saddle sailboat saxophone scarf scissors screw shelf shoe
shovel skateboard skeleton sled snail sock sofa spade spider sponge spoon stairs submarine suitcase
swing table tambourine telescope tent thimble tiger toothbrush towel tractor train trophy trumpet
turtle typewriter umbrella vase violin volcano wagon wallet watermelon well whale wheel whistle
windmill zebra
"""

#: Everyday things from many walks of life. Most of them are in no given picture, so their similarities say
#: what "has nothing to do with it" looks like for that picture and that model. They are the same for every
#: vocabulary, so that adding a tag changes no other; a few that do show change nothing (see zero_shot).
BACKGROUND: tuple[str, ...] = tuple(_EVERYDAY.split())


def prompts_for(word: str, phrase: str = "") -> list[str]:
    """The wordings of one word; ``phrase`` says how it is put, where that is known."""
    phrase = phrase or PHRASES.get(word.casefold()) or _with_article(word)
    return [template.format(phrase) for template in TEMPLATES]


def _with_article(word: str) -> str:
    article = "an" if word[:1].casefold() in "aeiou" else "a"
    return f"{article} {word}"
