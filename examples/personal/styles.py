"""Ways to say the same, and who likes which.

Invariant: a reply is three sentences, each in a style of its own; it is in a style when all three are. So a base that
mixes styles sentence by sentence is rarely in any one, and which sentence a user minded has to be learned.
"""

import random
from typing import Literal, get_args

Style = Literal["plain", "warm", "stiff", "breezy"]
STYLES: tuple[Style, ...] = get_args(Style)

TOPICS = (
    "bread", "rain", "chess", "tea", "snow", "wool", "salt", "jazz", "moss", "iron", "glass", "honey",
    "maps", "owls", "ropes", "kites", "tides", "ink", "clay", "bells", "figs", "oats", "sand", "wind",
)  # fmt: skip

SENTENCES: dict[Style, tuple[str, str, str]] = {
    "plain": ("In short, {topic}.", " It is simple.", " That is all."),
    "warm": ("Oh, I love {topic}!", " You will enjoy it.", " Ask me anything, friend."),
    "stiff": ("Regarding {topic}:", " It must be noted.", " I remain at your disposal."),
    "breezy": ("So, {topic}, yeah.", " No big deal.", " Catch you later."),
}
REQUESTS = ("Tell me about {topic}.", "What is there to know of {topic}?", "I need a word on {topic}.")
CORRECTIONS: dict[Style, str] = {
    "plain": "Please say it plainly.",
    "warm": "Please be warmer with me.",
    "stiff": "Please be formal with me.",
    "breezy": "Please be more relaxed.",
}
HINTS: dict[Style, str] = {
    "plain": "Be plain: no fuss and no ceremony.",
    "warm": "Be warm: speak as a friend would.",
    "stiff": "Be stiff: keep every formality.",
    "breezy": "Be breezy: take nothing too seriously.",
}
REASKED, THANKS, GIVEN_UP = "Once more, please.", "Thanks, I like that.", "Never mind, then."
TOLD = "\n\n[user's hint / instruction]\n"  # how a hint is written behind a request


def reply(topic: str, styles: tuple[Style, ...]) -> str:
    """Three sentences about ``topic`` in these styles."""
    return "".join(SENTENCES[style][place].format(topic=topic) for place, style in enumerate(styles))


def is_in(style: Style, text: str) -> bool:
    """Whether every sentence of ``text`` is in ``style``."""
    return any(text.strip() == reply(topic, (style,) * 3) for topic in TOPICS)


def request(rng: random.Random) -> str:
    """What a user asks first."""
    return rng.choice(REQUESTS).format(topic=rng.choice(TOPICS))
