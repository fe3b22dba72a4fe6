"""What images, audio and files a conversation holds. Pure.

Invariant: equal digests mean the same content at the same places. Tokens cannot tell: two images of one size have the
same placeholders. Content that the log holds by reference is the same content::

    messages    user: image A      assistant: …      user: image B
    digests  (none)         dA              dA              dAB
"""

import hashlib
from collections.abc import Sequence

import msgspec

from clawstream.gateway.tokens.history import Message, has_media
from clawstream.schemas.blobs import referred

NO_MEDIA = b""  # of messages that hold none


def media_digests(messages: Sequence[Message], start: bytes = NO_MEDIA, first_index: int = 0) -> list[bytes]:
    """Digests after 0, 1, 2, … messages, going on from ``start``; the first message has ``first_index``."""
    found = [start]
    for index, message in enumerate(messages, first_index):
        if has_media([message]):
            held = msgspec.json.encode([index, referred(message)["content"]], order="deterministic")
            found.append(hashlib.sha256(found[-1] + held).digest())
        else:
            found.append(found[-1])
    return found
