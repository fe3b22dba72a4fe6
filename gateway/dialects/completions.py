"""OpenAI's Completions: a prompt as text or as token ids, and the text that follows.

Invariant: a prompt of token ids reaches the node as those very ids. One call has one prompt, so that each of its
answers is a step with that prompt.
"""

from typing import Annotated, Any

import msgspec

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.chat.request import COMPLETIONS, Asked, ChatRequest, Wants, request_of
from clawstream.gateway.chat.sse import event
from clawstream.gateway.chat.view import visible
from clawstream.gateway.dialects.chat import DONE, whole_answer
from clawstream.gateway.errors import ApiError, invalid
from clawstream.gateway.reading import shaped

_PROMPT = "prompt"


class _Completion(Asked, kw_only=True):
    prompt: str | Annotated[list[Any], msgspec.Meta(min_length=1)]
    logprobs: Annotated[int, msgspec.Meta(ge=0)] | None = None
    echo: bool | None = None
    best_of: int | None = None


class CompletionsExchange:
    """One completion."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.asked: ChatRequest = read_completion(body)
        self.session_id: str | None = None

    def frames(self, data: bytes, _: Chunk) -> bytes:
        """The chunk as it came, less our fields."""
        shown = visible(data, self.asked.wants) if self.asked.stream else None
        return b"" if shown is None else event(shown)

    def end(self, _: Answers) -> bytes:
        """``[DONE]``."""
        return DONE

    def whole(self, answers: Answers) -> bytes:
        """The ``text_completion``."""
        choices = [_choice(index, answer, self.asked.wants) for index, answer in enumerate(answers.each)]
        return msgspec.json.encode(whole_answer("text_completion", answers, choices))

    def broken(self, error: ApiError) -> bytes:
        """The error, and no ``[DONE]``."""
        return event(error.body)


def read_completion(body: dict[str, Any]) -> ChatRequest:
    """Check ``body``. Raises ``ApiError`` 400 naming the field.

    The step's messages are the prompt's text, in the role ``prompt``; a prompt of token ids has none.
    """
    shape = shaped(body, _Completion)
    if shape.echo:
        raise invalid("echo is not supported: the prompt is no sample of the policy", "echo")
    if shape.best_of is not None and shape.best_of != (shape.n or 1):
        raise invalid(f"best_of is {shape.best_of}; answers that are not given cannot be chosen from", "best_of")
    prompt = _only(shape.prompt)
    return request_of(
        body | {_PROMPT: prompt},
        shape,
        path=COMPLETIONS,
        messages=[{"role": _PROMPT, "content": prompt}] if isinstance(prompt, str) else [],
        tools=[],
        capture={"logprobs": shape.logprobs or 0},
        wants_logprobs=shape.logprobs is not None,
    )


def _only(prompt: str | list[Any]) -> str | list[int]:
    """The one prompt: ``"a"``, ``[1, 2]``, or either of them as the only element of a list."""
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, str) or (prompt and all(type(token) is int for token in prompt)):
        return prompt
    if len(prompt) > 1 and all(isinstance(each, str | list) for each in prompt):
        raise invalid(f"prompt: {len(prompt)} prompts in one call are not supported: ask once for each", _PROMPT)
    raise invalid("prompt: a text or a list of token ids is needed", _PROMPT)


def _choice(index: int, answer: Answer, wants: Wants) -> dict[str, Any]:
    choice: dict[str, Any] = {
        "index": index,
        "text": answer.text,
        "logprobs": _logprobs(answer) if wants.logprobs else None,
        "finish_reason": answer.finish_reason,
        "stop_reason": answer.stop_reason,
    }
    ids = {"token_ids": answer.token_ids, "prompt_token_ids": answer.prompt_ids}
    return choice | (ids if wants.token_ids else {})


def _logprobs(answer: Answer) -> dict[str, list[Any]]:
    pieces = answer.logprob_pieces
    return {
        "tokens": [token for piece in pieces for token in piece.tokens],
        "token_logprobs": [logprob for piece in pieces for logprob in piece.token_logprobs or ()],
        "top_logprobs": [top for piece in pieces for top in piece.top_logprobs],
        "text_offset": [offset for piece in pieces for offset in piece.text_offset],
    }
