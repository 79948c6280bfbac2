"""What the embedded base model can be asked for: nouns, colours, shapes, places and styles.

Nouns are the words of captions; each is drawn by the icons of the same (or the named) identifier
in the artwork sets of `lab.pretrain.artwork`. Ten per cent of the (colour, noun) pairs never occur
together in training, so that the exam can tell binding from memory (`is_held_out`).
"""

from __future__ import annotations

__all__ = [
    "BACKDROPS",
    "COLOURS",
    "COMMON_NOUNS",
    "COUNT_WORDS",
    "ICONS",
    "MONSTERS",
    "NOUNS",
    "SHAPES",
    "is_held_out",
    "plural",
    "with_article",
]

# Captions call these "monster" about half of the time.
MONSTERS = (
    "ogre", "goblin", "troll", "alien", "ghost", "dragon", "zombie", "devil", "t-rex", "vampire",
    "imp", "space monster", "dinosaur",
)  # fmt: skip

_ANIMALS = (
    "cat", "dog", "mouse", "rabbit", "bear", "panda", "fox", "wolf", "lion", "tiger", "horse",
    "cow", "pig", "sheep", "goat", "elephant", "giraffe", "zebra", "monkey", "camel", "deer",
    "chicken", "rooster", "duck", "owl", "penguin", "parrot", "eagle", "frog", "turtle",
    "snake", "crocodile", "fish", "shark", "whale", "dolphin", "octopus", "crab", "snail",
    "butterfly", "bee", "ladybug", "spider", "ant", "unicorn", "hedgehog", "squirrel", "koala",
    "bat", "swan", "flamingo",
)  # fmt: skip

_FOOD = (
    "apple", "banana", "orange", "lemon", "pear", "peach", "cherries", "strawberry", "grapes",
    "watermelon", "pineapple", "tomato", "carrot", "eggplant", "mushroom", "bread", "cheese",
    "egg", "hamburger", "pizza", "cake", "ice cream", "cookie", "doughnut", "candy", "cup",
)  # fmt: skip

_THINGS = (
    "car", "bus", "truck", "taxi", "bicycle", "motorcycle", "train", "airplane", "helicopter",
    "rocket", "boat", "ufo", "house", "castle", "church", "tent", "tree", "pine tree",
    "palm tree", "cactus", "flower", "rose", "tulip", "sunflower", "leaf", "sun", "moon", "cloud",
    "rainbow", "snowflake", "fire", "water drop", "volcano", "mountain", "umbrella", "balloon",
    "gift", "book", "pencil", "scissors", "key", "lock", "hammer", "bell", "guitar", "drum",
    "trumpet", "ball", "basketball", "robot", "skull", "clown", "baby", "king", "snowman",
    "pumpkin", "crown", "ring", "hat", "shoe", "shirt", "dress", "glasses", "backpack", "lamp",
    "candle", "chair", "bed", "door", "telephone", "computer", "television", "camera", "clock",
    "bomb", "anchor", "eye", "foot",
)  # fmt: skip

NOUNS: tuple[str, ...] = (*MONSTERS, *_ANIMALS, *_FOOD, *_THINGS)

# The nouns that scenes show most often, and that the exam asks for.
COMMON_NOUNS: tuple[str, ...] = tuple(
    "cat,dog,rabbit,bear,fox,lion,tiger,horse,cow,pig,elephant,monkey,duck,owl,penguin,frog,turtle,"
    "snake,fish,shark,whale,octopus,crab,butterfly,bee,spider,unicorn,apple,banana,strawberry,"
    "mushroom,hamburger,pizza,car,bus,bicycle,airplane,rocket,boat,house,tree,cactus,flower,sun,"
    "umbrella,balloon,key,robot,skull,crown".split(",")
)

# Icon identifiers, where they are not simply the noun with hyphens.
_ICON_NAMES: dict[str, tuple[str, ...]] = {
    "devil": ("smiling-face-with-horns",),
    "imp": ("angry-face-with-horns",),
    "space monster": ("alien-monster",),
    "dinosaur": ("sauropod",),
    "dragon": ("dragon", "dragon-face"),
    "cat": ("cat", "cat-face"),
    "dog": ("dog", "dog-face"),
    "mouse": ("mouse", "mouse-face"),
    "rabbit": ("rabbit", "rabbit-face"),
    "tiger": ("tiger", "tiger-face"),
    "horse": ("horse", "horse-face"),
    "cow": ("cow", "cow-face"),
    "pig": ("pig", "pig-face"),
    "monkey": ("monkey", "monkey-face"),
    "sheep": ("ewe",),
    "camel": ("camel", "two-hump-camel"),
    "chicken": ("front-facing-baby-chick", "baby-chick"),
    "whale": ("spouting-whale", "whale"),
    "fish": ("fish", "tropical-fish"),
    "bee": ("honeybee",),
    "ladybug": ("lady-beetle",),
    "squirrel": ("chipmunk",),
    "snail": ("snail",),
    "apple": ("red-apple",),
    "orange": ("tangerine",),
    "carrot": ("carrot",),
    "cheese": ("cheese-wedge",),
    "cake": ("birthday-cake",),
    "ice cream": ("soft-ice-cream",),
    "cup": ("hot-beverage",),
    "car": ("automobile", "sport-utility-vehicle"),
    "truck": ("delivery-truck",),
    "train": ("locomotive",),
    "boat": ("sailboat",),
    "ufo": ("flying-saucer",),
    "tree": ("deciduous-tree",),
    "pine tree": ("evergreen-tree",),
    "flower": ("blossom", "cherry-blossom"),
    "leaf": ("maple-leaf",),
    "moon": ("crescent-moon",),
    "water drop": ("droplet",),
    "mountain": ("snow-capped-mountain",),
    "gift": ("wrapped-gift",),
    "book": ("blue-book", "green-book", "closed-book"),
    "lock": ("locked",),
    "ball": ("soccer-ball",),
    "clown": ("clown-face",),
    "king": ("prince",),
    "pumpkin": ("jack-o-lantern",),
    "hat": ("top-hat",),
    "shoe": ("running-shoe",),
    "shirt": ("t-shirt",),
    "lamp": ("light-bulb",),
    "computer": ("laptop",),
    "clock": ("alarm-clock",),
}

ICONS: dict[str, tuple[str, ...]] = {
    noun: _ICON_NAMES.get(noun, (noun.replace(" ", "-"),)) for noun in NOUNS
}

# sRGB, 0-255. Scenes jitter them a little.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 30, 34),
    "orange": (245, 135, 20),
    "yellow": (250, 218, 30),
    "green": (34, 160, 52),
    "cyan": (40, 200, 215),
    "blue": (32, 80, 225),
    "purple": (130, 40, 175),
    "pink": (250, 130, 185),
    "brown": (125, 75, 35),
    "grey": (135, 135, 135),
    "black": (18, 18, 18),
    "white": (250, 250, 250),
}

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond")

# Backgrounds that are pictures, not colours (drawn by `lab.pretrain.backgrounds`).
BACKDROPS = ("sky", "night sky", "grass", "sea", "desert", "snow", "forest", "bricks")

COUNT_WORDS = ("zero", "one", "two", "three", "four", "five", "six")

_SAME_PLURAL = {"cherries", "grapes", "glasses", "scissors", "sheep", "deer", "bricks"}
_ODD_PLURALS = {
    "mouse": "mice",
    "wolf": "wolves",
    "leaf": "leaves",
    "fish": "fish",
    "foot": "feet",
}


def plural(phrase: str) -> str:
    """Return the plural of a phrase whose last word is a noun: "red mouse" gives "red mice"."""
    before, space, noun = phrase.rpartition(" ")
    if noun in _SAME_PLURAL:
        ending = noun
    elif noun in _ODD_PLURALS:
        ending = _ODD_PLURALS[noun]
    elif noun.endswith(("s", "x", "ch", "sh")):
        ending = noun + "es"
    elif noun.endswith("y") and noun[-2] not in "aeiou":
        ending = noun[:-1] + "ies"
    else:
        ending = noun + "s"
    return before + space + ending


def with_article(phrase: str) -> str:
    """Return the phrase after "a" or "an"."""
    starts_like_a_vowel = phrase[0] in "aeiou" and not phrase.startswith(("uf", "uni"))
    return f"{'an' if starts_like_a_vowel else 'a'} {phrase}"


def is_held_out(colour: str, noun: str) -> bool:
    """Say whether a colour and a noun (or shape) never meet in training: one pair in ten.

    The pairs form a lattice: every colour and every noun is held out about equally often, and no
    shape is held out from red, green or blue, which the lab's experiments use.
    """
    colours = list(COLOURS)
    if noun in SHAPES:
        return colour not in ("red", "green", "blue", "white", "black") and (
            (3 * SHAPES.index(noun) + colours.index(colour)) % 10 == 0
        )
    return noun in NOUNS and (3 * NOUNS.index(noun) + 7 * colours.index(colour)) % 10 == 0
