"""The prompt of a conversation that goes on: the tokens that it has, then those of its new messages. Pure.

Invariant: the spliced prompt begins with the earlier prompt and response, token by token; nothing of them is made from
text again. The new messages are rendered after a stand-in of the conversation, of which everything is cut off up to the
token that ends the answer's turn::

    opening   user: .                            =>  <s> user . <e>
    tail      user: .  assistant: .  tool: 57    =>  <s> user . <e>  <s> assistant . <e>  <s> tool 57 <e> <s> assistant
    spliced   earlier prompt, response (… <e>)                                       then <s> tool 57 <e> <s> assistant

The stand-in has the tools that were asked for and the answer's calls, but none of its text, so whatever the model said
(a special token spelled out, reasoning that a template drops) cannot move the cut.
"""

from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]

_STAND_IN = "."


def opening_messages() -> list[Message]:
    """What comes before the stand-in of the answer."""
    return [{"role": "user", "content": _STAND_IN}]


def tail_messages(messages: Sequence[Message], answer_index: int) -> list[Message]:
    """The opening, a stand-in for ``messages[answer_index]``, and what follows it. Raises ``ValueError`` when that
    message is not the assistant's."""
    if answer_index >= len(messages) or messages[answer_index].get("role") != "assistant":
        raise ValueError(f"message {answer_index} of {len(messages)} is not the assistant's")
    return [*opening_messages(), _stand_in(messages[answer_index]), *messages[answer_index + 1 :]]


def closes(opening: Sequence[int], answered: Sequence[int], ends: frozenset[int]) -> bool:
    """Does the template end an answer with one of ``ends``? Else what looks like its end belongs to a later message.

    ``opening``, ``answered``: the opening rendered, without and with the stand-in of the answer.
    """
    return any(token in ends for token in answered[len(opening) :])


def splice(earlier: Sequence[int], opening: Sequence[int], tail: Sequence[int], ends: frozenset[int]) -> list[int]:
    """``earlier`` and what ``tail`` holds after the answer's turn.

    ``opening`` and ``tail``: the rendered messages, the first without a generation prompt. ``ends``: ids that end a
    turn. Where ``earlier`` does not end with one (a stop string ended the answer), the template's own goes between.
    The template :func:`closes` answers. Raises ``ValueError`` when the renderings do not fit together.
    """
    if list(tail[: len(opening)]) != list(opening):
        raise ValueError("the template renders earlier messages differently once others follow")
    end = next((place for place in range(len(opening), len(tail)) if tail[place] in ends), None)
    if end is None:
        raise ValueError("the template ends an answer with no token that ends a turn")
    ended = bool(earlier) and earlier[-1] in ends
    return [*earlier, *tail[end + 1 if ended else end :]]


def _stand_in(answer: Message) -> Message:
    """The answer's role and calls, without what it says."""
    calls = answer.get("tool_calls")
    if not calls:
        return {"role": "assistant", "content": _STAND_IN}
    return {"role": "assistant", "content": "", "tool_calls": [_bare(call) for call in calls]}


def _bare(call: Message) -> Message:
    function = call.get("function") or {}
    return {
        "id": call.get("id") or "",
        "type": "function",
        "function": {"name": function.get("name") or "", "arguments": "{}"},
    }
