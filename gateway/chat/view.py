"""What a streaming client sees of a node's chunk: all but what was asked for by us alone."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from clawstream.gateway.chat.request import Wants

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_CHOICES = msgspec.json.Decoder(list[dict[str, Raw]])
_NULL = b"null"
_NOTHING: Mapping[str, str] = {}


def visible(data: bytes, wants: Wants, added: Mapping[str, str] = _NOTHING) -> bytes | None:
    """``data`` without our capture fields and with those ``added``; ``None`` when nothing is left.

    Values are copied, never written anew.
    """
    chunk = _OBJECT.decode(data)
    chunk.pop("weight_versions", None)
    if not wants.token_ids:
        chunk.pop("prompt_token_ids", None)
    if not wants.usage:
        chunk.pop("usage", None)
    choices = [_choice(choice, wants) for choice in _CHOICES.decode(chunk.get("choices", Raw(b"[]")))]
    said = [choice for choice in choices if wants.logprobs or wants.token_ids or _says_something(choice)]
    if not said and "usage" not in chunk:
        return None
    chunk["choices"] = Raw(msgspec.json.encode(said))
    for name, value in added.items():
        chunk[name] = Raw(msgspec.json.encode(value))
    return msgspec.json.encode(chunk)


def _choice(choice: dict[str, Raw], wants: Wants) -> dict[str, Raw]:
    choice.pop("weight_versions", None)
    if not wants.token_ids:
        choice.pop("token_ids", None)
        choice.pop("prompt_token_ids", None)
    if not wants.logprobs and "logprobs" in choice:
        choice["logprobs"] = Raw(_NULL)
    return choice


def _says_something(choice: dict[str, Raw]) -> bool:
    """False for a chunk that vLLM sends only to carry tokens that a parser holds back."""
    finished = bytes(choice.get("finish_reason", Raw(_NULL))) != _NULL
    delta, text = bytes(choice.get("delta", Raw(b"{}"))), bytes(choice.get("text", Raw(b'""')))
    return finished or delta != b"{}" or text != b'""'
